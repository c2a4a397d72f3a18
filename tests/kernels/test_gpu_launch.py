"""The C++ launcher against the Python one, under a driver that only prints."""

import dataclasses
import functools
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from compiler import COMPILER, NO_COMPILER

from keras_lap.kernels.gpu.launch import (
    LARGEST_COUNT,
    check_sizes,
    plan_backward,
    plan_forward,
)
from keras_lap.kernels.gpu.shipped import shipped_kernels
from keras_lap.kernels.gpu.variants import DTYPES, KERNELS, SCRATCH, VARIANTS
from keras_lap.kernels.pooling import Pooling

ROOT = pathlib.Path(__file__).parents[2]
NATIVE = pathlib.Path(__file__).parent / "native"
ARGUMENTS = [
    "x",
    "scores",
    "alpha",
    "gate",
    "dy",
    "y",
    "dx",
    "dscores",
    "dalpha",
    "dgate",
    "scratch",
]  # in the order of their addresses in record_launches.cc
ADDRESSES = {name: (place + 1) << 40 for place, name in enumerate(ARGUMENTS)}
STREAM = 64 << 40

pytestmark = pytest.mark.skipif(COMPILER is None, reason=str(NO_COMPILER))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the launcher and the drivers are."""
    return tmp_path_factory.mktemp("gpu_launch")


@pytest.fixture(scope="module")
def call(folder):
    """Runs the launcher on lines of input; returns lines of output."""
    program = folder / "record_launches"
    sources = [NATIVE / "record_launches.cc"]
    sources += [ROOT / "kernels" / "gpu" / f"{name}.cc" for name in MODULES]
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"]
    _compile(program, *flags, *sources, "-ldl")
    for driver, options in DRIVERS.items():
        (folder / driver).mkdir()
        library = folder / driver / "libcuda.so.1"
        stand_in = NATIVE / "recording_cuda.cc"
        _compile(library, *flags, *options, "-shared", "-fPIC", stand_in)
    (folder / "broken").mkdir()
    (folder / "broken" / "libcuda.so.1").touch()

    def run(lines, driver="recording", **environment):
        done = subprocess.run(
            [program],
            input="\n".join(lines),
            env={**os.environ, "LD_LIBRARY_PATH": str(folder / driver), **environment},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.splitlines()

    return run


MODULES = ("launch", "cuda_driver")
DRIVERS = {"recording": (), "old": ("-DOLD_DRIVER",)}


def _compile(output, *arguments):
    subprocess.run([*COMPILER, *map(str, arguments), "-o", str(output)], check=True)


def line_of(direction, dtype, pooling):
    """A call in the form that the program reads."""
    fields = map(int, dataclasses.astuple(pooling))
    return " ".join(map(str, (direction, DTYPES.index(dtype), *fields)))


def expected_lines(direction, dtype, pooling):
    """What the program prints if it plans as Python does."""
    plan = PLANS[direction](pooling, dtype)
    places, scratch_bytes = plan.offsets
    buffers = dict(ADDRESSES)
    for name in SCRATCH:
        base = ADDRESSES["scratch"] if direction == "backward" else 0
        buffers[name] = base + places[name]
    lines = []
    for launch in plan.launches:
        shipped = shipped_kernels()[launch.variant]
        *values, geometry = launch.arguments(buffers)
        numbers = (
            *(len(shipped.ptx), launch.programs, 1, 1, shipped.threads, 1, 1),
            *(shipped.shared_bytes, STREAM, *values, *geometry, 0, 0),
        )
        lines.append(" ".join(map(str, ("launch", shipped.entry, *numbers))))
    return [*lines, f"ok {scratch_bytes}"]


PLANS = {"forward": plan_forward, "backward": plan_backward}
GEOMETRIES = (
    {"pool_size": (1, 1), "strides": (2, 2)},
    {"pool_size": (2, 2)},
    {"pool_size": (2, 2), "strides": (1, 2), "padding": "same"},
    {"pool_size": (3, 3), "strides": (2, 2), "padding": ((1, 1), (1, 1))},
    {"pool_size": (3, 2), "strides": (3, 4), "padding": "same"},
    {"pool_size": (5, 5), "strides": (1, 1), "padding": "same"},
    # On both sides of where other blocks are chosen.
    *(
        {"pool_size": size, "strides": (3, 3), "padding": "same"}
        for size in ((4, 4), (17, 1), (8, 8), (13, 5))
    ),
    {"pool_size": None},
    {"pool_size": (2, 2), "strides": (1 << 20, 1 << 20)},
)
CHANNELS = ((1, 1), (64, 1), (128, 1), (136, 1), (96, 3), (6, 2), (5, 5), (32, 32))


@functools.cache
def calls():
    """Poolings of every kind and many sizes, with the direction and the dtype."""
    rng = np.random.default_rng(0)
    found = []
    for geometry in GEOMETRIES:
        for channels, groups in CHANNELS:
            for base in (None, "max", "avg", "first"):
                batch, height, width = rng.integers([0, 6, 6], [70, 120, 120]).tolist()
                pooling = Pooling.of(
                    (batch, height, width, channels),
                    groups,
                    **geometry,
                    base=base,
                    weighting=("gaussian", "softmax")[rng.integers(2)],
                    gating=("score", None)[rng.integers(2)],
                    alpha_per_group=bool(rng.integers(2)),
                )
                found += [(name, dtype, pooling) for name in PLANS for dtype in DTYPES]
    return found


def test_both_launchers_make_the_same_launches(call):
    actual = iter(call([line_of(*arguments) for arguments in calls()]))
    for arguments in calls():
        for line in expected_lines(*arguments):
            assert next(actual) == line, arguments
    assert next(actual, None) is None


LAUNCH_FROM_PYTHON = """
import sys

sys.path.insert(0, ".")
from kernels.gpu.launch import plan_backward, plan_forward
from kernels.gpu.shipped import Driver
from kernels.pooling import Pooling

plans = {"forward": plan_forward, "backward": plan_backward}
driver = Driver()
for direction, dtype, pooling in CALLS:
    plan = plans[direction](Pooling(*pooling), dtype)
    scratch = ADDRESSES["scratch"] if direction == "backward" else 0
    driver.run(plan, ADDRESSES, scratch, STREAM, 0)
"""


def test_python_launches_what_it_plans(call, folder):
    some = calls()[::5]
    shapes = [
        (direction, dtype, tuple(map(int, dataclasses.astuple(pooling))))
        for direction, dtype, pooling in some
    ]
    known = f"CALLS, ADDRESSES, STREAM = {shapes!r}, {ADDRESSES!r}, {STREAM!r}\n"
    done = subprocess.run(
        [sys.executable, "-"],
        input=known + LAUNCH_FROM_PYTHON,
        cwd=ROOT,
        env={**os.environ, "LD_LIBRARY_PATH": str(folder / "recording")},
        check=True,
        capture_output=True,
        text=True,
    )
    expected = [line for arguments in some for line in expected_lines(*arguments)[:-1]]
    assert done.stdout.splitlines() == expected


def test_the_sweep_takes_every_variant():
    plans = [PLANS[name](pooling, dtype) for name, dtype, pooling in calls()]
    used = {launch.variant for plan in plans for launch in plan.launches}
    assert used == set(VARIANTS)
    assert {variant.kernel for variant in used} == set(KERNELS)


SMALL = Pooling.of((2, 4, 4, 8), 1, (2, 2))
TOO_LARGE = {
    "pixels with their padding": Pooling.of(
        (1 << 30, 1, 1, 8), 1, (3, 3), (2, 2), ((2, 0), (2, 0))
    ),
    "windows": Pooling.of((1 << 18, 64, 64, 8), 1, (1, 1), (1, 1), ((64, 64), (0, 0))),
    "images, or pixels along one side": Pooling.of((0, 2, (1 << 30) + 1, 8), 1, (2, 2)),
    "channels": Pooling.of((1, 2, 2, 1 << 31), 1, (2, 2)),
    "pixels in a window": dataclasses.replace(
        SMALL, window_height=1 << 16, window_width=1 << 16
    ),
}


@pytest.mark.parametrize("what", TOO_LARGE)
def test_what_is_too_large_is_refused_in_both_languages(call, what):
    pooling = TOO_LARGE[what]
    with pytest.raises(ValueError) as caught:
        check_sizes(pooling)
    message = str(caught.value)
    assert what in message and "Expected at most" in message
    lines = [line_of(direction, "float32", pooling) for direction in PLANS]
    assert call(lines) == [message] * len(lines)


def test_features_may_have_more_values_than_32_bits_count(call):
    pooling = Pooling.of((512, 112, 112, 1024), 1, (2, 2))
    assert pooling.pixels * pooling.channels > 2**32 > LARGEST_COUNT
    arguments = ("forward", "bfloat16", pooling)
    assert call([line_of(*arguments)]) == expected_lines(*arguments)


def test_a_stride_beyond_the_map_may_have_any_length(call):
    pooling = Pooling.of((1, 4, 4, 8), 1, (2, 2), ((1 << 30) + 1, (1 << 31) - 1))
    arguments = ("forward", "float32", pooling)
    assert call([line_of(*arguments)]) == expected_lines(*arguments)


def test_an_empty_batch_only_clears_the_sums(call):
    pooling = Pooling.of((0, 4, 4, 8), 1, (2, 2))
    assert call([line_of("forward", "float32", pooling)]) == ["ok 0"]
    launched, outcome = call([line_of("backward", "float32", pooling)])
    assert launched.startswith("launch finish ")
    assert outcome == "ok 0"


FORWARD = [line_of("forward", "float32", SMALL)]


@pytest.mark.parametrize(
    "name",
    [
        "cuStreamGetCtx",
        "cuCtxPushCurrent",
        "cuCtxGetCurrent",
        "cuModuleLoadData",
        "cuModuleGetFunction",
    ],
)
def test_a_failing_call_of_the_driver_is_named(call, name):
    failing = "cuCtxPushCurrent_v2" if name == "cuCtxPushCurrent" else name
    (message,) = call(FORWARD, FAILING=failing)
    assert message.startswith(f"{name} failed with CUDA error ")
    assert message.endswith(", unknown")


def test_a_failing_launch_is_described(call):
    launched, message = call(FORWARD, FAILING="cuLaunchKernel")
    assert launched.startswith("launch ")
    assert message == (
        "cuLaunchKernel of forward_known failed with CUDA error 719, unspecified "
        "launch failure"
    )


def test_without_a_context_there_is_a_message(call):
    (message,) = call(FORWARD, WITHOUT_CONTEXT="1")
    assert message == "Expected a current CUDA context. Received: none"


def test_a_driver_without_a_function_is_named(call):
    (message,) = call(FORWARD, driver="old")
    assert message == (
        "Expected the CUDA driver to have the function cuStreamGetCtx: install a newer "
        "driver"
    )


def test_without_a_driver_there_is_a_message(call):
    (message,) = call(FORWARD, driver="broken")
    assert message.startswith("Expected a CUDA driver: install one. Received: ")
