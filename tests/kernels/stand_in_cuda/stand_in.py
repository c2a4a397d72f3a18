"""Python's side of the stand-in driver: runs the kernels that are launched.

Launches are recorded with what they were given, and run in Triton's interpreter on the
memory of the pretended device. Triton has to be imported before TensorFlow: the other
way round, LLVM ends the process for being there twice.
"""

import ctypes
import dataclasses
import threading

import numpy as np
from triton_worker import Pointer, numpy_dtype, round_to_nearest

from keras_lap.kernels.gpu.functions import jit_function
from keras_lap.kernels.gpu.geometry import Geometry
from keras_lap.kernels.gpu.shipped import shipped_kernels
from keras_lap.kernels.gpu.variants import FEATURES, INDICES, KERNELS

Address = ctypes.c_void_p
OnLaunch = ctypes.CFUNCTYPE(
    ctypes.c_int, Address, ctypes.c_uint, ctypes.c_uint, Address, Address, Address
)


@dataclasses.dataclass(frozen=True)
class Launch:
    """What a launch was given; `pointers` by buffer name."""

    variant: object
    programs: int
    pointers: dict
    integers: tuple
    geometry: Geometry
    stream: int
    context: int


class StandIn:
    """The driver, and the record of launches."""

    def __init__(self):
        round_to_nearest()
        self._variants = {
            shipped.ptx: variant for variant, shipped in shipped_kernels().items()
        }
        self._launches = []
        self._lock = threading.Lock()
        self._launch_error = 0
        self._failure = None
        self._driver = ctypes.CDLL("libcuda.so.1")
        self._driver.StandInContext.restype = Address
        self._driver.StandInMadeStream.argtypes = [Address]
        self._driver.StandInMadeStream.restype = ctypes.c_bool
        self._on_launch = OnLaunch(self._launched)
        self._driver.StandInOnLaunch(self._on_launch)

    @property
    def context(self):
        """The one context of the one device."""
        return self._driver.StandInContext()

    def made_stream(self, stream):
        """Whether it was made by the driver, as the streams of TensorFlow's devices."""
        return self._driver.StandInMadeStream(stream)

    def fail_to_load(self, error):
        """Lets every loading of a module end with this CUDA error."""
        self._driver.StandInFailToLoad(error)

    def fail_to_launch(self, error):
        """Lets every launch end with this CUDA error."""
        self._launch_error = error

    def succeed(self):
        """Lets loading and launching succeed again."""
        self.fail_to_load(0)
        self.fail_to_launch(0)

    def take_launches(self):
        """Launches since the last time; raises what went wrong in one of them."""
        launches, self._launches = self._launches, []
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return launches

    def _launched(self, image, programs, threads, stream, context, arguments):
        if self._launch_error:
            return self._launch_error
        # An exception in here would only be printed. Triton interprets one at a time.
        try:
            variant = self._variants[ctypes.string_at(image).decode()]
            assert threads == 32 * variant.warps
            arguments = _read_arguments(arguments, KERNELS[variant.kernel])
            launch = Launch(variant, programs, *arguments, stream, context)
            with self._lock:
                self._launches.append(launch)
                _run(launch)
        except Exception as failure:
            self._failure = failure
        return 0


def _read_arguments(arguments, kernel):
    """Pointers by name, the kernel's own integers, and the geometry."""
    count = len(kernel.pointers) + len(kernel.integers) + len(Geometry._fields) + 2
    places = (Address * count).from_address(arguments)
    names, own = kernel.pointers, len(kernel.integers)
    pointers = {
        name: Address.from_address(place).value
        for name, place in zip(names, places, strict=False)
    }
    integers = [
        ctypes.c_int32.from_address(place).value for place in places[len(names) : -2]
    ]
    # Triton's kernels end with two pointers that these do not use.
    assert all(Address.from_address(place).value is None for place in places[-2:])
    return pointers, tuple(integers[:own]), Geometry(*integers[own:])


def _run(launch):
    variant = launch.variant
    pointers = [
        _pointer(name, address, variant.dtype)
        for name, address in launch.pointers.items()
    ]
    with np.errstate(all="ignore"):
        jit_function(variant.kernel)[(launch.programs,)](
            *pointers, *launch.integers, launch.geometry, **variant.constants
        )


def _pointer(name, address, dtype):
    """A place in the device's memory in the form that the interpreter takes."""
    if name not in FEATURES:
        dtype = "int32" if name in INDICES else "float32"
    dtype = numpy_dtype(dtype)
    if address is None:
        return Pointer(np.empty(0, dtype))
    memory = (ctypes.c_byte * dtype.itemsize).from_address(address)
    return Pointer(np.frombuffer(memory, dtype))
