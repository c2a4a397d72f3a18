"""What `test_gpu_stand_in.py` runs in a process that sees the stand-in driver."""

import numpy as np
import pytest
import tensorflow as tf
from cases import Case, assert_equal_the_oracle, random_upstream
from op_calls import attributes_of, both_passes, eager, graph, inputs_of, xla
from stand_in import StandIn
from tolerances import assert_identical

from keras_lap.kernels import library
from keras_lap.kernels.gpu.launch import plan_backward, plan_forward
from keras_lap.kernels.gpu.variants import DTYPES
from keras_lap.kernels.pooling import Pooling

GPU = "/GPU:0"
GEOMETRIES = {
    "apart": {"pool_size": (2, 2)},
    "overlapping": {"pool_size": (3, 3), "strides": (2, 2), "padding": "same"},
    "padded": {"pool_size": (2, 3), "strides": (1, 2), "padding": ((1, 0), (1, 2))},
    "global": {"pool_size": None},
}


@pytest.fixture(autouse=True)
def others_on_the_cpu():
    """Kernels other than ours are compiled for a real GPU."""
    with tf.device("/CPU:0"):
        yield


@pytest.fixture(scope="module")
def ops():
    (gpu,) = tf.config.list_physical_devices("GPU")
    tf.config.experimental.set_memory_growth(gpu, True)
    found = library.find()
    assert found.path is not None, found.reason
    return tf.load_op_library(str(found.path))


@pytest.fixture(scope="module")
def driver(ops):
    return StandIn()


@pytest.fixture
def stand_in(driver):
    yield driver
    driver.succeed()
    driver.take_launches()


def make_case(dtype="float32", geometry="apart", channels=8, groups=1, **changes):
    fields = {
        "batch": 2,
        "sizes": (5, 6),
        "score_kind": "spaced",
        "alpha": [1.5] * groups,
        "base_gate": 0.4,
        "seed": 0,
    }
    options = {"base": "max", "weighting": "gaussian", "gating": "score"}
    options |= {name: changes.pop(name) for name in list(changes) if name in options}
    if options["base"] is None:
        changes["base_gate"] = None
    return Case(
        **(fields | changes),
        dtype=dtype,
        channels=channels,
        groups=groups,
        arguments={**GEOMETRIES[geometry], **options, "data_format": "channels_last"},
    )


CASES = {
    **{geometry: make_case(geometry=geometry) for geometry in GEOMETRIES},
    **{dtype: make_case(dtype) for dtype in DTYPES[1:]},
    "odd channels": make_case(channels=3),
    "groups": make_case(channels=6, groups=2, alpha=[0.5, 3.0]),
    "score per channel": make_case(geometry="overlapping", channels=8, groups=8),
    "one alpha": make_case(channels=8, groups=2, alpha=2.0),
    "no base": make_case(geometry="padded", base=None, weighting="softmax"),
    "ungated average": make_case(geometry="padded", base="avg", gating=None),
}


mode_cases = pytest.mark.parametrize(
    "mode", (eager, graph, xla), ids=lambda mode: mode.__name__
)


def run_on_gpu(ops, case, inputs, mode=eager):
    """Results of both ops."""
    with tf.device(GPU):
        inputs = [tf.identity(tensor) for tensor in inputs]
        return mode(both_passes(ops, attributes_of(case)), inputs)


def planned(case):
    """The launches of both passes, as the launcher in Python plans them."""
    arguments = dict(case.arguments)
    del arguments["data_format"]
    pooling = Pooling.of(
        (case.batch, *case.sizes, case.channels),
        case.groups,
        **arguments,
        alpha_per_group=isinstance(case.alpha, list),
    )
    plans = [plan(pooling, case.dtype) for plan in (plan_forward, plan_backward)]
    return [launch for plan in plans for launch in plan.launches]


# One for each type of tensors, of alpha and of windows; which kernels a geometry and
# its options take is planned by the same code in all modes.
IN_EVERY_MODE = (
    "padded",
    "global",
    "float16",
    "bfloat16",
    "score per channel",
    "one alpha",
    "no base",
)
# All others are thorough. Of the eager ones, "ungated average" is the padded one.
BY_DEFAULT = {
    *((name, eager) for name in ("groups", "ungated average")),
    *((name, graph) for name in ("padded", "score per channel", "float16", "bfloat16")),
    *((name, xla) for name in ("padded", "global", "no base")),
}
PLANNED = [
    pytest.param(
        *(name, mode),
        marks=[] if (name, mode) in BY_DEFAULT else [pytest.mark.thorough],
        id=f"{name}-{mode.__name__}",
    )
    for mode in (eager, graph, xla)
    for name in (CASES if mode is eager else IN_EVERY_MODE)
]


@pytest.mark.parametrize("name, mode", PLANNED)
def test_runs_the_planned_kernels(ops, stand_in, name, mode):
    case = CASES[name]
    upstream = random_upstream(case)
    results = run_on_gpu(ops, case, inputs_of(case, upstream), mode)
    # The passes do not wait for each other, so either may come first.
    launches, expected = stand_in.take_launches(), planned(case)
    launches.sort(key=lambda launch: "y" not in launch.pointers)
    assert [launch.variant for launch in launches] == [
        launch.variant for launch in expected
    ]
    for launch, plan in zip(launches, expected, strict=True):
        assert launch.programs == plan.programs
        assert launch.geometry == plan.geometry
        assert launch.integers == plan.integers
        assert launch.context == stand_in.context
    (stream,) = {launch.stream for launch in launches}
    assert stand_in.made_stream(stream)
    assert all(result.device.endswith("GPU:0") for result in results)
    assert_equal_the_oracle(results, case, upstream)


# Not under XLA, which fills empty results by kernels of its own.
@pytest.mark.parametrize("mode", (eager, graph))
def test_an_empty_batch_has_no_gradient(ops, stand_in, mode):
    case = make_case(alpha=2.0)
    inputs = inputs_of(case, random_upstream(case))
    inputs = [tensor[:0] if tensor.shape.rank == 4 else tensor for tensor in inputs]
    y, *gradients = run_on_gpu(ops, case, inputs, mode)
    stand_in.take_launches()
    assert y.shape == inputs[-1].shape
    for gradient, value in zip(gradients, inputs, strict=False):
        assert_identical(gradient, np.zeros(value.shape, "float32"))


@mode_cases
def test_a_driver_that_fails_is_an_error(ops, stand_in, mode):
    case = make_case()
    upstream = random_upstream(case)
    inputs = inputs_of(case, upstream)
    told = r"cuLaunchKernel of \w+ failed with CUDA error 700, the stand-in was told"
    stand_in.fail_to_launch(700)
    with pytest.raises(tf.errors.InternalError, match=told):
        run_on_gpu(ops, case, inputs, mode)
    stand_in.succeed()
    assert_equal_the_oracle(run_on_gpu(ops, case, inputs, mode), case, upstream)


def test_a_module_that_does_not_load_is_an_error(ops, stand_in):
    # No other test needs the kernels of so many channels, so they are not loaded yet.
    case = make_case(channels=264, sizes=(2, 2))
    upstream = random_upstream(case)
    inputs = inputs_of(case, upstream)
    stand_in.fail_to_load(218)
    with pytest.raises(tf.errors.InternalError, match=r"cuModuleLoadData failed.* 218"):
        run_on_gpu(ops, case, inputs)
    # Nothing of the failure is kept.
    stand_in.succeed()
    assert_equal_the_oracle(run_on_gpu(ops, case, inputs), case, upstream)


def test_float64_runs_on_the_cpu(ops, stand_in):
    case = make_case("float64")
    upstream = random_upstream(case)
    results = run_on_gpu(ops, case, inputs_of(case, upstream))
    assert stand_in.take_launches() == []
    assert_equal_the_oracle(results, case, upstream)
