"""Launches the kernels as they are shipped, from Python, through the CUDA driver.

Needs neither Triton nor a package beyond the standard library. Memory and streams are
the caller's, who has initialised the driver, as torch does.
"""

import ctypes
import functools
import pathlib
import re
from typing import NamedTuple

from .variants import SCRATCH, VARIANTS

HEADER = pathlib.Path(__file__).with_name("la_pool_ptx.h")

_ENTRY = re.compile(
    r'^    \{"(?P<entry>\w+)", [^{]*\{[\d, ]*\}, (?P<threads>\d+), (?P<shared>\d+), '
    r'[^\n]*\n     R"PTX\((?P<ptx>.*?)\)PTX"',
    re.DOTALL | re.MULTILINE,
)


class Shipped(NamedTuple):
    """One kernel of the header."""

    entry: str
    threads: int
    shared_bytes: int
    ptx: str


@functools.cache
def shipped_kernels():
    """What the committed header holds, by variant.

    Returns:
        Dict from `Variant` to `Shipped`.
    """
    found = [
        Shipped(
            match["entry"], int(match["threads"]), int(match["shared"]), match["ptx"]
        )
        for match in _ENTRY.finditer(HEADER.read_text())
    ]
    return dict(zip(VARIANTS, found, strict=True))


class Driver:
    """Loads and launches shipped kernels in the primary contexts of devices.

    Raises:
        OSError: If there is no CUDA driver.
    """

    def __init__(self):
        self._cuda = ctypes.CDLL("libcuda.so.1")
        self._contexts = {}
        self._functions = {}

    def run(self, plan, buffers, scratch, stream, device):
        """Enqueues the launches of a plan.

        Args:
            plan: A `LaunchPlan`.
            buffers: Device addresses of inputs and outputs, by name.
            scratch: Device address of as many bytes as the plan's scratch takes.
            stream: A CUstream of the device, as an integer.
            device: Number of the device.

        Raises:
            RuntimeError: If the driver reports an error.
        """
        places, _ = plan.offsets
        buffers = {**buffers, **{name: scratch + places[name] for name in SCRATCH}}
        self._call("cuCtxPushCurrent_v2", self._context(device))
        try:
            for launch in plan.launches:
                self._launch(launch, buffers, stream, device)
        finally:
            self._call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))

    def _launch(self, launch, buffers, stream, device):
        function, shipped = self._function(launch.variant, device)
        *values, geometry = launch.arguments(buffers)
        # Triton's kernels end with two pointers to scratch memory, unused here. Numbers
        # of 32 bits begin where those of 64 do: CUDA's hosts are little-endian.
        values += [*geometry, 0, 0]
        cells = (ctypes.c_uint64 * len(values))(*values)
        start, size = ctypes.addressof(cells), ctypes.sizeof(cells)
        places = range(start, start + size, ctypes.sizeof(ctypes.c_uint64))
        self._call(
            "cuLaunchKernel",
            function,
            *(launch.programs, 1, 1),
            *(shipped.threads, 1, 1),
            shipped.shared_bytes,
            ctypes.c_void_p(stream),
            (ctypes.c_void_p * len(values))(*places),
            None,
        )

    def _context(self, device):
        if device not in self._contexts:
            handle, context = ctypes.c_int(), ctypes.c_void_p()
            self._call("cuDeviceGet", ctypes.byref(handle), device)
            self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
            self._contexts[device] = context
        return self._contexts[device]

    def _function(self, variant, device):
        """A loaded kernel, and what the header says of it."""
        if (variant, device) not in self._functions:
            shipped = shipped_kernels()[variant]
            module, function = ctypes.c_void_p(), ctypes.c_void_p()
            image, entry = shipped.ptx.encode(), shipped.entry.encode()
            self._call("cuModuleLoadData", ctypes.byref(module), image)
            self._call("cuModuleGetFunction", ctypes.byref(function), module, entry)
            self._functions[variant, device] = function, shipped
        return self._functions[variant, device]

    def _call(self, name, *arguments):
        error = getattr(self._cuda, name)(*arguments)
        if error:
            text = ctypes.c_char_p()
            self._cuda.cuGetErrorString(error, ctypes.byref(text))
            message = text.value.decode() if text.value else "unknown"
            raise RuntimeError(f"{name} failed with CUDA error {error}, {message}")
