"""The CPU core alone, compiled here and called by ctypes, against the oracle."""

import ctypes
import dataclasses
import math
import pathlib
import platform
import subprocess

import ml_dtypes
import numpy as np
import oracle
import pytest
from cases import Case, assert_equal_the_oracle, cases, random_upstream
from compiler import COMPILER, NO_COMPILER
from effort import THOROUGH, examples
from hypothesis import given, settings
from tolerances import DTYPES, assert_close, tolerance

from keras_lap.kernels.build import COMMON_FLAGS, CORE_FLAGS

ROOT = pathlib.Path(__file__).parents[2]
CORE = sorted((ROOT / "kernels" / "cpu").glob("*.cc"))
NATIVE = pathlib.Path(__file__).parent / "native"
WARNINGS = ("-Wall", "-Wextra", "-Werror")
# What ships is compiled further, for longer, and tested as part of the ops.
FASTER_TO_COMPILE = () if THOROUGH else ("-O2",)
FLAGS = (*COMMON_FLAGS, *CORE_FLAGS, *FASTER_TO_COMPILE, *WARNINGS)
CPUINFO = pathlib.Path("/proc/cpuinfo")
PROCESSOR = (
    CPUINFO.read_text() if platform.machine() == "x86_64" and CPUINFO.exists() else ""
)


def level_flags(level):
    """In place of clones for all processors, code for those of a level."""
    return "-DKERAS_LAP_CLONES=__attribute__((flatten))", f"-march={level}"


# The vectors that the loader chooses from, the widest of this processor first; the ops
# are tested with all clones.
LEVELS = []
if all(f"avx512{part}" in PROCESSOR for part in ("f", "bw", "cd", "dq", "vl")):
    LEVELS.append(("-DKERAS_LAP_CLONES_FOR_AVX512", *level_flags("x86-64-v4")))
if "avx2" in PROCESSOR:
    LEVELS.append(level_flags("x86-64-v3"))
LEVELS.append(level_flags("x86-64") if PROCESSOR else ())

pytestmark = pytest.mark.skipif(COMPILER is None, reason=str(NO_COMPILER))


def compile_native(output, driver, *flags):
    """Compiles the core and a file beside these tests, all files at once."""
    sources = [*CORE, NATIVE / driver]
    objects = [output.with_name(f"{output.name}.{source.stem}.o") for source in sources]
    compilations = [
        subprocess.Popen([*COMPILER, *flags, "-c", source, "-o", target])
        for source, target in zip(sources, objects, strict=True)
    ]
    assert [compilation.wait() for compilation in compilations] == [0] * len(sources)
    subprocess.run([*COMPILER, *flags, *objects, "-o", output], check=True)
    return output


SIZES = (
    *("batch", "height", "width", "channels", "groups"),
    *("window_height", "window_width", "stride_height", "stride_width"),
    *("pad_top", "pad_left", "out_height", "out_width"),
)


class Pooling(ctypes.Structure):
    """The struct of kernels/pooling.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in SIZES),
        ("weighting", ctypes.c_int32),
        ("base", ctypes.c_int32),
        ("gated", ctypes.c_bool),
        ("base_sees_padding", ctypes.c_bool),
        ("alpha_per_group", ctypes.c_bool),
    )


STORAGE = {
    "float64": ("d", np.float64, np.float64),
    "float32": ("f", np.float32, np.float32),
    "float16": ("e", np.float16, np.float32),
    "bfloat16": ("b", ml_dtypes.bfloat16, np.float32),
}
BASES = {None: 0, "max": 1, "avg": 2, "first": 3}
OUTPUTS = ("y", "dx", "dscores", "dalpha", "dgate")


def pooling_of(case):
    """The struct of a case of rank 1 or 2."""
    windows = case.windows()
    flat = len(case.sizes) == 1
    first, grid = next(iter(windows.values())), oracle.window_grid(windows)
    size, stride = case.arguments["pool_size"], case.arguments.get("strides")
    size = case.sizes if size is None else size
    stride = size if stride is None else stride

    def plane(pair, fill):
        return (fill, *pair) if flat else tuple(pair)

    pooling = Pooling()
    pooling.batch, pooling.channels, pooling.groups = (
        case.batch,
        case.channels,
        case.groups,
    )
    pooling.height, pooling.width = plane(case.sizes, 1)
    pooling.window_height, pooling.window_width = plane(size, 1)
    pooling.stride_height, pooling.stride_width = plane(stride, 1)
    pooling.pad_top, pooling.pad_left = plane([-p for p in first[0]], 0)
    pooling.out_height, pooling.out_width = plane(grid, 1)
    pooling.weighting = ("gaussian", "softmax").index(case.arguments["weighting"])
    pooling.base = BASES[case.arguments["base"]]
    pooling.gated = case.arguments["gating"] == "score"
    pooling.base_sees_padding = not isinstance(case.arguments.get("padding", ""), str)
    pooling.alpha_per_group = bool(np.ndim(case.alpha))
    return pooling


def ranges(units, seed=None):
    """[0, units) whole, or cut at random places and in random order."""
    if seed is None:
        return [(0, units)]
    rng = np.random.default_rng(seed)
    cuts = np.unique([0, *rng.integers(0, units + 1, rng.integers(1, 8)), units])
    pairs = list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
    return [pairs[i] for i in rng.permutation(len(pairs))]


class Core:
    """Calls of the compiled core on NumPy arrays."""

    def __init__(self, path):
        self.library = ctypes.CDLL(str(path))
        for name in ("forward_units", "backward_units", "partials_size"):
            getattr(self.library, name).restype = ctypes.c_int64

    def __call__(
        self, pooling, dtype, x, scores, alpha, gate, dy, split=None, misaligned=False
    ):
        """All outputs by name; every buffer that the core fills starts as NaN."""
        letter, stored, computed = STORAGE[dtype]
        x, dy = np.asarray(x, stored), np.asarray(dy, stored)
        scores, alpha, gate = (np.array(a, computed) for a in (scores, alpha, gate))
        outputs = {
            "y": poisoned(dy.shape, stored, misaligned),
            "dx": poisoned(x.shape, stored, misaligned),
            "dscores": poisoned(scores.shape, computed),
            "dalpha": poisoned(alpha.shape, computed),
            "dgate": poisoned((), computed),
        }
        reference = ctypes.byref(pooling)
        partials = np.full(self.library.partials_size(reference), np.nan)
        head = (ctypes.c_char(letter.encode()), reference)
        y, dx, dscores, dalpha, dgate = map(pointer, outputs.values())
        inputs = [pointer(a) for a in (x, scores, alpha, gate)]
        for begin, end in ranges(self.library.forward_units(reference), split):
            self.library.forward(
                *head, *inputs, y, ctypes.c_int64(begin), ctypes.c_int64(end)
            )
        for begin, end in ranges(self.library.backward_units(reference), split):
            self.library.backward(
                *head,
                *inputs,
                pointer(dy),
                dx,
                dscores,
                pointer(partials),
                ctypes.c_int64(begin),
                ctypes.c_int64(end),
            )
        self.library.sum_partials(*head, pointer(partials), dalpha, dgate)
        return outputs

    def run(self, case, upstream, split=None):
        values = case.values()
        gate = values.get("base_gate", np.nan)
        inputs = [values[name] for name in ("x", "scores", "alpha")]
        return self(pooling_of(case), case.dtype, *inputs, gate, upstream, split)


def poisoned(shape, dtype, misaligned=False):
    """NaN from the beginning of a cache line on, or from one item later."""
    items = math.prod(shape)
    size = np.dtype(dtype).itemsize
    memory = np.empty(items * size + 128, np.uint8)
    begin = -memory.ctypes.data % 64 + misaligned * size
    array = memory[begin : begin + items * size].view(dtype).reshape(shape)
    array[...] = np.nan
    return array


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


@pytest.fixture(scope="session")
def core(tmp_path_factory):
    path = tmp_path_factory.mktemp("cpu_core") / "core.so"
    return Core(compile_native(path, "cpu_core_shim.cc", *FLAGS, *LEVELS[0], "-shared"))


EVERYTHING = {
    "dtypes": DTYPES,
    "data_formats": ("channels_last",),
    "ranks": (1, 2, 2, 2),
    "channels_and_groups": (
        *((1, 1), (3, 1), (16, 1), (37, 1), (64, 1)),
        *((4, 2), (6, 3), (34, 2), (3, 3), (17, 17)),
    ),
}


@settings(max_examples=examples(150))
@given(case=cases(**EVERYTHING))
def test_equals_the_oracle(core, case):
    upstream = random_upstream(case)
    assert_equal_the_oracle(core.run(case, upstream).values(), case, upstream)


@settings(max_examples=10)
@given(case=cases(**EVERYTHING, max_size=16, max_window=12))
def test_large_windows_equal_the_oracle(core, case):
    upstream = random_upstream(case)
    assert_equal_the_oracle(core.run(case, upstream).values(), case, upstream)


def assert_same_bits(actual, expected):
    for name in OUTPUTS:
        assert actual[name].tobytes() == expected[name].tobytes(), name


@settings(max_examples=examples(100))
@given(case=cases(**EVERYTHING, max_batch=4))
def test_ranges_in_any_order_give_the_same_bits(core, case):
    upstream = random_upstream(case)
    whole = core.run(case, upstream)
    for split in range(3):
        assert_same_bits(core.run(case, upstream, split), whole)


def simple_case(**changes):
    arguments = {
        "pool_size": (3, 3),
        "strides": (2, 2),
        "padding": ((1, 1), (1, 1)),
        "weighting": "gaussian",
        "gating": "score",
        "data_format": "channels_last",
        "base": None,
    }
    return Case(
        **{
            "batch": 2,
            "sizes": (7, 6),
            "channels": 20,
            "groups": 1,
            "score_kind": "spaced",
            "alpha": 2.0,
            "base_gate": None,
            "dtype": "float32",
            "seed": 0,
            **changes,
            "arguments": {**arguments, **changes.get("arguments", {})},
        }
    )


@pytest.mark.thorough
@pytest.mark.parametrize("level", LEVELS[1:], ids=" ".join)
def test_narrower_vectors_give_the_same_results(tmp_path, level):
    flags = (*FLAGS, *level, "-shared")
    core = Core(compile_native(tmp_path / "core.so", "cpu_core_shim.cc", *flags))

    @settings(max_examples=examples(40))
    @given(case=cases(**EVERYTHING))
    def equals_the_oracle(case):
        upstream = random_upstream(case)
        assert_equal_the_oracle(core.run(case, upstream).values(), case, upstream)

    equals_the_oracle()


@pytest.mark.thorough
def test_sanitizers_find_nothing_in_random_problems(tmp_path):
    flags = (
        *("-O0", "-std=c++17", "-fopenmp-simd", *WARNINGS, "-DKERAS_LAP_CLONES="),
        *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    )
    fuzz = compile_native(tmp_path / "fuzz", "fuzz_cpu_core.cc", *flags)
    run = subprocess.run(
        [fuzz, str(examples(500))], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{examples(500)} problems" in run.stdout


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gating", ["score", None])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("base", [None, "max", "avg", "first"])
def test_bad_features_show_in_their_channel_alone(core, dtype, gating, bad, base):
    case = simple_case(
        dtype=dtype,
        alpha=100.0,
        base_gate=None if base is None else 0.0,
        arguments={"base": base, "gating": gating},
    )
    values, upstream = case.values(), random_upstream(case)
    values["x"][1, 2, 3, 5] = bad
    pooling, gate = pooling_of(case), values.get("base_gate", np.nan)
    inputs = [values[name] for name in ("x", "scores", "alpha")]
    y = np.float64(core(pooling, dtype, *inputs, gate, upstream)["y"])
    hit = np.zeros(y.shape, bool)
    for (i, j), pixels in case.windows().items():
        hit[1, i, j, 5] = (2, 3) in pixels
    np.testing.assert_array_equal(~np.isfinite(y), hit)


@pytest.mark.parametrize("groups", [1, 4, 20])
def test_a_nan_score_shows_in_its_group_alone(core, groups):
    case = simple_case(groups=groups)
    values, upstream = case.values(), random_upstream(case)
    values["scores"][1, 2, 3, -1] = np.nan
    inputs = [values[name] for name in ("x", "scores", "alpha")]
    outputs = core(pooling_of(case), "float32", *inputs, np.nan, upstream)
    hit = np.zeros(outputs["y"].shape, bool)
    touched = np.zeros(outputs["dx"].shape, bool)
    width = case.channels // groups
    for (i, j), pixels in case.windows().items():
        if (2, 3) in pixels:
            hit[1, i, j, -width:] = True
            for p in pixels:
                if oracle.lies_inside(p, case.sizes):
                    touched[1, *p, -width:] = True
    np.testing.assert_array_equal(np.isnan(outputs["y"]), hit)
    np.testing.assert_array_equal(np.isnan(outputs["dx"]), touched)
    np.testing.assert_array_equal(
        np.isnan(outputs["dscores"]), touched[..., ::width][..., :groups]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighting", ["gaussian", "softmax"])
def test_far_scores_and_large_alpha_weigh_nothing(core, dtype, weighting):
    case = simple_case(dtype=dtype, alpha=1e30, arguments={"weighting": weighting})
    values, upstream = case.values(), random_upstream(case)
    values["scores"] *= 1e6
    inputs = [values[name] for name in ("x", "scores", "alpha")]
    outputs = core(pooling_of(case), dtype, *inputs, np.nan, upstream)
    for (i, j), pixels in case.windows().items():
        real = [p for p in pixels if oracle.lies_inside(p, case.sizes)]
        for n in range(case.batch):
            best = max(real, key=lambda p: values["scores"][n, *p, 0])
            expected = values["scores"][n, *best, 0] * values["x"][n, *best]
            np.testing.assert_allclose(outputs["y"][n, i, j], expected, rtol=1e-6)
    for name in ("dx", "dscores", "dalpha"):
        assert np.isfinite(outputs[name]).all(), name


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_score_of_zero_passes_nothing(core, dtype):
    case = simple_case(dtype=dtype, alpha=0.5)
    values, upstream = case.values(), random_upstream(case)
    closed = np.random.default_rng(1).random(values["scores"].shape) < 0.5
    values["scores"][closed] = 0
    inputs = [values["scores"], values["alpha"], np.nan, upstream]
    pooling = pooling_of(case)
    outputs = core(pooling, dtype, values["x"], *inputs)
    hidden = np.broadcast_to(closed, values["x"].shape)
    assert np.abs(np.float64(outputs["dx"]))[hidden].max() == 0
    changed = np.where(hidden, 1000 * values["x"], values["x"])
    assert (
        outputs["y"].tobytes() == core(pooling, dtype, changed, *inputs)["y"].tobytes()
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("base", ["max", "avg", "first"])
def test_a_gate_of_one_leaves_no_base(core, dtype, base):
    def run(base, gate):
        case = simple_case(dtype=dtype, arguments={"base": base})
        values, upstream = case.values(), random_upstream(case)
        # The base would take this times zero.
        values["x"][1, 2, 3, 5] = np.inf
        inputs = [values[name] for name in ("x", "scores", "alpha")]
        return core(pooling_of(case), dtype, *inputs, gate, upstream)["y"].tobytes()

    assert run(base, 1.0) == run(None, np.nan)
    assert run(base, 0.5) != run(None, np.nan)


IDENTITY = simple_case(
    batch=1,
    sizes=(256,),
    channels=256,
    alpha=0.0,
    arguments={"pool_size": (1,), "strides": (1,), "padding": "valid", "gating": None},
)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_every_half_comes_back(core, dtype):
    stored = STORAGE[dtype][1]
    x = np.arange(2**16, dtype=np.uint16).view(stored).reshape(1, 256, 256)
    zeros = np.zeros((1, 256, 1))
    y = core(pooling_of(IDENTITY), dtype, x, zeros, 0.0, np.nan, x)["y"]
    nan = np.isnan(np.float32(x))
    assert nan.sum() > 100
    np.testing.assert_array_equal(np.isnan(np.float32(y)), nan)
    np.testing.assert_array_equal(y.view(np.uint16)[~nan], x.view(np.uint16)[~nan])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_round_to_nearest_even(core, rng, dtype):
    stored = STORAGE[dtype][1]
    # Random bits in every binade and halfway cases, through the score of a gate.
    bits = rng.integers(0, 2**32, 2**16, dtype=np.uint32)
    bits[::2] &= 0xFFFF8000 if dtype == "bfloat16" else 0xFFFFF000
    scores = bits.view(np.float32)
    scores = np.where(np.isfinite(scores), scores, np.float32(1)).reshape(1, -1, 1)
    case = dataclasses.replace(
        IDENTITY,
        sizes=(2**16,),
        channels=1,
        arguments={**IDENTITY.arguments, "gating": "score"},
    )
    ones = np.ones((1, 2**16, 1))
    y = core(pooling_of(case), dtype, ones, scores, 0.0, np.nan, ones)["y"]
    with np.errstate(over="ignore"):
        expected = scores.astype(stored)
    np.testing.assert_array_equal(y.view(np.uint16), expected.view(np.uint16))


def test_weights_are_exponentials_to_two_units_in_the_last_place(core):
    # Windows of two pixels, each with a channel of its own, are passed on by shares.
    distance = np.linspace(0, 80, 4001, dtype=np.float32)
    scores = np.stack([np.zeros_like(distance), -distance], -1).reshape(1, -1, 1)
    case = simple_case(
        batch=1,
        sizes=(scores.size,),
        channels=2,
        alpha=1.0,
        arguments={
            "pool_size": (2,),
            "strides": (2,),
            "padding": "valid",
            "gating": None,
            "weighting": "softmax",
        },
    )
    x = np.tile([[1.0, 0.0], [0.0, 1.0]], (distance.size, 1))[None]
    dy = np.zeros((1, distance.size, 2))
    y = core(pooling_of(case), "float32", x, scores, 1.0, np.nan, dy)["y"][0]
    y = np.float64(y)
    weight = y[:, 1] / y[:, 0]
    # Either share carries one more rounding, of the product with 1 / sum.
    np.testing.assert_allclose(weight, np.exp(-np.float64(distance)), rtol=4 * 2**-23)
    assert weight[0] == 1


def test_stores_past_the_caches_give_the_same_bits(core, rng):
    # Large tensors whose pixels are whole cache lines are written that way, others not.
    case = simple_case(
        batch=1, sizes=(257, 257), channels=64, arguments={"strides": (1, 1)}
    )
    x = rng.normal(size=(1, 257, 257, 64)).astype("float32")
    scores = rng.random((1, 257, 257, 1))
    arguments = (pooling_of(case), "float32", x, scores, 2.0, np.nan, x)
    streamed, stored = core(*arguments), core(*arguments, misaligned=True)
    assert_same_bits(streamed, stored)
    assert streamed["y"].nbytes > 2**24


@pytest.mark.parametrize(
    ("dtype", "sizes", "groups", "base"),
    [
        *((dtype, (9, 9), 1, "max") for dtype in DTYPES),
        *((dtype, (9, 9), 2, "avg") for dtype in DTYPES),
        *((dtype, (9, 9), 6, "max") for dtype in DTYPES),
        # Over 64 windows have a pixel, too.
        ("float32", (16, 15), 1, "max"),
    ],
)
def test_sums_in_parts_equal_the_oracle(core, dtype, sizes, groups, base):
    case = simple_case(
        batch=1,
        sizes=sizes,
        channels=6,
        groups=groups,
        dtype=dtype,
        base_gate=0.5,
        arguments={
            **{"pool_size": (9, 8), "strides": (1, 1), "base": base},
            "weighting": "softmax" if groups == 2 else "gaussian",
        },
    )
    upstream = random_upstream(case)
    assert_equal_the_oracle(core.run(case, upstream).values(), case, upstream)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("base", [None, "max", "avg"])
def test_a_mean_of_many_ones_is_one(core, dtype, base):
    pixels = 300_000
    case = simple_case(
        batch=1,
        sizes=(pixels,),
        channels=3,
        dtype=dtype,
        arguments={
            **{"pool_size": None, "strides": None, "padding": "valid"},
            **{"gating": None, "base": base},
        },
    )
    x, scores, dy = np.ones((1, pixels, 3)), np.ones((1, pixels, 1)), np.ones((1, 1, 3))
    outputs = core(pooling_of(case), dtype, x, scores, 2.0, 0.5, dy)
    assert_close(outputs["y"], dy, **tolerance(dtype, 64))


def test_an_empty_batch(core):
    case = simple_case(arguments={"base": "max"}, base_gate=0.5)
    pooling = pooling_of(case)
    pooling.batch = 0
    x, scores, dy = (np.empty((0, 7, 6, c)) for c in (20, 1, 20))
    outputs = core(pooling, "float32", x, scores, 2.0, 0.5, dy)
    assert outputs["dalpha"] == 0
    assert outputs["dgate"] == 0
