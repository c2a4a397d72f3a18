"""Compiles the table of variants to PTX and writes the header that launchers read.

    python -m kernels.gpu.ahead_of_time               writes la_pool_ptx.h
    python -m kernels.gpu.ahead_of_time --check       compares with what is there
    python -m kernels.gpu.ahead_of_time --check some  compares some of the variants

PTX for sm_80 runs on that architecture and, compiled further by the driver, on all
later ones. Neither a GPU nor torch is needed, but the pinned Triton is: another one
writes other PTX. Run it as part of `kernels`, from the root of the repository: as part
of `keras_lap` it comes after TensorFlow, and Triton cannot be loaded then.
"""

import argparse
import concurrent.futures
import itertools
import os
import pathlib
import re
import sys

# Read by Triton when it compiles: neither its changing default for fused multiplication
# and addition nor the place of this file may change the output.
os.environ["TRITON_DEFAULT_FP_FUSION"] = "1"
os.environ["TRITON_DISABLE_LINE_INFO"] = "1"

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from . import launch
from .functions import jit_function
from .geometry import Geometry
from .variants import (
    BUFFERS,
    DTYPES,
    FEATURES,
    INDICES,
    KERNELS,
    NUM_STAGES,
    SCRATCH,
    VARIANTS,
)

# What launchers in both languages plan by.
LAUNCH_CONSTANTS = (
    "VECTOR",
    "FEW_TAPS",
    "SOME_TAPS",
    "FEW_CHANNELS",
    "LARGEST_COUNT",
    "LARGEST_SIDE",
    "SCRATCH_ALIGNMENT",
)
PINNED_TRITON = "3.9.0"
ARCHITECTURE = 80
PTX_VERSION = 80
# What a launch may ask for without further ado.
LARGEST_SHARED_BYTES = 48 * 1024
HEADER = pathlib.Path(__file__).with_name("la_pool_ptx.h")

POINTER_TYPES = {"float32": "*fp32", "float16": "*fp16", "bfloat16": "*bf16"}


def main(arguments=None):
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check",
        choices=("all", "some"),
        nargs="?",
        const="all",
        help="compare all variants, or one of every kernel; do not write",
    )
    options = parser.parse_args(arguments)
    if triton.__version__ != PINNED_TRITON:
        print(
            f"Expected Triton {PINNED_TRITON}. Received: {triton.__version__}. Install "
            f"it with `pip install triton=={PINNED_TRITON}`",
            file=sys.stderr,
        )
        return 2
    if options.check == "some":
        shipped = HEADER.read_text()
        agrees = shipped.startswith(preamble()) and shipped.endswith(END)
        agrees &= all(entry in shipped for entry in render(one_of_every_kernel()))
    else:
        header = "".join([preamble(), *render(VARIANTS), END])
        if options.check is None:
            HEADER.write_text(header)
        agrees = HEADER.read_text() == header
    if not agrees:
        print(
            f"{HEADER} does not belong to the kernels: write it anew, without --check",
            file=sys.stderr,
        )
        return 1
    return 0


def compile_variant(variant):
    """Compiles one variant.

    Returns:
        Triton's compiled kernel.
    """
    function = jit_function(variant.kernel)
    kernel = KERNELS[variant.kernel]
    types = {name: pointer_type(name, variant.dtype) for name in kernel.pointers}
    types |= dict.fromkeys(kernel.integers, "i32")
    types["geometry"] = Geometry(*["i32"] * len(Geometry._fields))
    signature = {name: types.get(name, "constexpr") for name in function.arg_names}
    aligned = {
        (function.arg_names.index(name),): [["tt.divisibility", 16]]
        for name in kernel.pointers
    }
    return triton.compile(
        ASTSource(function, signature, variant.constants, aligned),
        target=GPUTarget("cuda", ARCHITECTURE, 32),
        options={
            "num_warps": variant.warps,
            "num_stages": NUM_STAGES,
            "ptx_version": PTX_VERSION,
        },
    )


def pointer_type(name, dtype):
    """Triton's name for the type of a pointer argument."""
    if name in FEATURES:
        return POINTER_TYPES[dtype]
    return "*i32" if name in INDICES else "*fp32"


def assemble_entry(variant):
    """Compiles a variant to its entry of the header, and checks what is relied on.

    Returns:
        A tuple `(C++ initialiser, PTX)`.
    """
    compiled = compile_variant(variant)
    ptx, metadata = compiled.asm["ptx"], compiled.metadata
    entry, parameters, threads = re.search(
        r"\.visible \.entry (\w+)\((.*?)\)\s*\.reqntid (\d+)", ptx, re.DOTALL
    ).groups()
    kernel = KERNELS[variant.kernel]
    integers = len(kernel.integers) + len(Geometry._fields)
    # Triton adds two pointers to scratch memory, of which nothing here has any.
    expected = ["u64"] * len(kernel.pointers) + ["u32"] * integers + ["u64"] * 2
    facts = {
        "entry": (entry, metadata.name),
        "threads": (int(threads), 32 * variant.warps),
        "parameters": (re.findall(r"\.param \.(\w+)", parameters), expected),
        "global scratch": (metadata.global_scratch_size, 0),
        "profile scratch": (metadata.profile_scratch_size, 0),
        "shared memory in bounds": (metadata.shared <= LARGEST_SHARED_BYTES, True),
        "programs per cluster": (metadata.num_ctas, 1),
        "target": (
            re.findall(r"^\.target (\S+)", ptx, re.MULTILINE),
            [f"sm_{ARCHITECTURE}"],
        ),
        "version": (
            re.findall(r"^\.version (\S+)", ptx, re.MULTILINE),
            [f"{PTX_VERSION // 10}.{PTX_VERSION % 10}"],
        ),
    }
    for name, (received, wanted) in facts.items():
        if received != wanted:
            raise RuntimeError(
                f"Expected {name} of {variant} to be {wanted}. Received: {received}"
            )
    return initialiser(variant, entry, threads, metadata.shared), strip(ptx)


def initialiser(variant, entry, threads, shared):
    """Fields of the C++ struct `Kernel`, but for the PTX."""
    dtype = -1 if variant.dtype is None else DTYPES.index(variant.dtype)
    block = ", ".join(map(str, (*variant.block, 0)[:3]))
    kernel = KERNELS[variant.kernel]
    pointers = ", ".join(map(constant_name, kernel.pointers))
    flags = ", ".join(str(int(f)) for f in (variant.has_max, variant.per_channel))
    return (
        f'"{entry}", {dtype}, {variant.window}, {flags}, {variant.vector}, '
        f"{{{block}}}, {threads}, {shared}, {{{pointers}}}, {len(kernel.pointers)}"
    )


def constant_name(name):
    """C++ name of a buffer, or of a constant of launch.py."""
    return "k" + "".join(word.capitalize() for word in name.split("_"))


def launch_constant(name):
    """C++ definition of a constant of launch.py."""
    return f"inline constexpr int64_t {constant_name(name)} = {getattr(launch, name)};"


def strip(ptx):
    """Removes comments, indentation and empty lines."""
    lines = (line.split("//")[0].strip() for line in ptx.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


PREAMBLE = """\
// Written by kernels/gpu/ahead_of_time.py with Triton {triton}: change that, not this.
// clang-format off
#pragma once

#include <cstdint>

namespace keras_lap::gpu {{

// What kernels are given pointers to.
enum Buffer : uint8_t {{ {buffers} }};
inline constexpr Buffer kFirstScratch = {first_scratch};
inline constexpr int kBuffers = {buffer_count};

// As in launch.py, which says what they mean.
{launch_constants}

// One variant of variants.py.
struct Kernel {{
  const char* entry;
  int32_t dtype;  // a DataType, or -1 where no features are read
  int32_t window;
  int32_t has_max, per_channel;
  int32_t vector;
  int32_t block[3];
  uint32_t threads, shared_bytes;
  // Arguments: these pointers, integers of its own, and the geometry.
  Buffer pointers[{most_pointers}];
  int32_t pointer_count;
  const char* ptx;
}};

inline constexpr Kernel kKernels[] = {{
"""


END = "};\n\n}  // namespace keras_lap::gpu\n"


def render(variants):
    """The header's lines for some variants, a text each."""
    with concurrent.futures.ProcessPoolExecutor() as pool:
        return [
            f'    {{{fields},\n     R"PTX({ptx})PTX"}},\n'
            for fields, ptx in pool.map(assemble_entry, variants)
        ]


def one_of_every_kernel():
    """A variant of every kernel with a maximum as base and without, of dtypes in turn.

    Yields:
        `Variant`s; all dtypes are among them.
    """
    dtypes = itertools.cycle(DTYPES)
    found = {}
    for each in VARIANTS:
        found.setdefault((each.kernel, each.has_max), {})[each.dtype] = each
    for by_dtype in found.values():
        yield by_dtype.get(None) or by_dtype[next(dtypes)]


def preamble():
    """What the header says before the first variant."""
    return PREAMBLE.format(
        triton=PINNED_TRITON,
        buffers=", ".join(map(constant_name, BUFFERS)),
        first_scratch=constant_name(SCRATCH[0]),
        buffer_count=len(BUFFERS),
        launch_constants="\n".join(map(launch_constant, LAUNCH_CONSTANTS)),
        most_pointers=max(len(kernel.pointers) for kernel in KERNELS.values()),
    )


if __name__ == "__main__":
    sys.exit(main())
