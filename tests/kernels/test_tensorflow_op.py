"""The TensorFlow ops as they are: eager, in graphs, and compiled by XLA."""

import dataclasses
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from cases import assert_equal_the_oracle, cases, random_upstream
from compiler import COMPILER, NO_COMPILER
from effort import examples
from fresh_process import fresh_python
from hypothesis import given, settings
from op_calls import attributes_of, both_passes, eager, graph, inputs_of, xla
from tolerances import DTYPES, assert_identical

from keras_lap.kernels import library

FOUND = library.find()
XLA_REASON = FOUND.xla_reason


pytestmark = pytest.mark.skipif(
    FOUND.path is None and COMPILER is None, reason=str(NO_COMPILER)
)


@pytest.fixture(scope="module")
def library_ops():
    assert FOUND.path is not None, FOUND.reason
    return tf.load_op_library(str(FOUND.path))


def blind_graph(function, inputs):
    """In a graph that does not even know the ranks."""
    signature = [tf.TensorSpec(None, tensor.dtype) for tensor in inputs]
    return tf.function(function, input_signature=signature)(*inputs)


MODES = (eager, graph, blind_graph, xla)
mode_cases = pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.__name__)

# A small call that every test of errors breaks in one place.
SHAPES = {"x": (2, 6, 5, 4), "scores": (2, 6, 5, 2), "alpha": (2,), "gate": ()}
ATTRIBUTES = {"pool_size": (2, 2), "base": "avg"}


@settings(max_examples=examples(60))
@given(
    case=cases(
        dtypes=DTYPES,
        data_formats=("channels_last",),
        ranks=(2,),
        channels_and_groups=((1, 1), (3, 1), (16, 1), (6, 2), (3, 3), (17, 17)),
    )
)
def test_every_mode_equals_the_oracle(library_ops, case):
    """To rounding; all modes agree to the last bit."""
    upstream = random_upstream(case)
    inputs = inputs_of(case, upstream)
    run = both_passes(library_ops, attributes_of(case))
    first, *others = (mode(run, inputs) for mode in MODES)
    assert_equal_the_oracle(first, case, upstream)
    for other in others:
        for actual, expected in zip(other, first, strict=True):
            assert_identical(actual, expected)


@mode_cases
@pytest.mark.parametrize("shape", [(0, 6, 5, 4), (2, 0, 5, 4), (0, 0, 0, 4)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_nothing_to_pool(library_ops, mode, shape, dtype):
    attributes = {"pool_size": (3, 2), "padding": "same", "base": "max"}
    inputs = [
        tf.ones(shape, dtype),
        tf.ones((*shape[:3], 2)),
        tf.constant([2.0, 3.0]),
        tf.constant(0.5),
        tf.ones((shape[0], -(-shape[1] // 3), -(-shape[2] // 2), 4), dtype),
    ]
    y, *gradients = mode(both_passes(library_ops, attributes), inputs)
    assert y.shape == inputs[-1].shape
    for gradient, value in zip(gradients, inputs, strict=False):
        assert_identical(gradient, np.zeros(value.shape, gradient.dtype.as_numpy_dtype))


def test_sizes_that_a_graph_can_know(library_ops):
    def shapes(x_shape, scores_shape, alpha_shape=(), **attributes):
        @tf.function(
            input_signature=[
                tf.TensorSpec(x_shape),
                tf.TensorSpec(scores_shape),
                tf.TensorSpec(alpha_shape),
            ]
        )
        def run(x, scores, alpha):
            y = library_ops.keras_lap_la_pool(x, scores, alpha, 1.0, **attributes)
            gradients = library_ops.keras_lap_la_pool_grad(
                x, scores, alpha, 1.0, y, **attributes
            )
            return y, *gradients

        outputs = run.get_concrete_function().outputs
        return [
            y.shape.as_list() if y.shape.rank is not None else None for y in outputs
        ]

    pool = {"pool_size": (3, 2), "strides": (2, 1)}
    assert shapes((None, 7, 6, 4), (None, 7, 6, 2), **pool) == [
        [None, 3, 5, 4],
        [None, 7, 6, 4],
        [None, 7, 6, 2],
        [],
        [],
    ]
    # What `x` leaves open `scores` may tell.
    known = shapes((2, None, 6, None), (None, 7, None, 2), (2,), padding="same", **pool)
    assert known[:4] == [[2, 4, 6, None], [2, 7, 6, None], [2, 7, 6, 2], [2]]
    unknown = shapes(None, None, None, pool_size=())
    assert unknown[:4] == [[None, 1, 1, None], [None] * 4, [None] * 4, None]


@dataclasses.dataclass(frozen=True)
class Refused:
    """A change to the small call, and what its error says."""

    message: str
    shapes: dict = dataclasses.field(default_factory=dict)
    attributes: dict = dataclasses.field(default_factory=dict)
    dtypes: dict = dataclasses.field(default_factory=dict)

    def inputs(self):
        shapes = {**SHAPES, **self.shapes}
        return [
            tf.zeros(shapes[name], self.dtypes.get(name, "float32")) for name in SHAPES
        ]

    def call(self, ops):
        attributes = {**ATTRIBUTES, **self.attributes}
        return lambda *inputs: ops.keras_lap_la_pool(*inputs, **attributes)


EXPLICIT = {"padding": "explicit", "pool_size": (3, 3)}
BILLION = 2**30
REFUSED = {
    "x of rank 3": Refused("`x` of rank 4", {"x": (6, 5, 4)}),
    "x of rank 5": Refused("`x` of rank 4", {"x": (2, 6, 5, 4, 1)}),
    "scores of rank 3": Refused("`scores` of rank 4", {"scores": (2, 6, 5)}),
    "batch": Refused("one score per pixel", {"scores": (1, 6, 5, 2)}),
    "height": Refused("one score per pixel", {"scores": (2, 5, 5, 2)}),
    "width": Refused("one score per pixel", {"scores": (2, 6, 4, 2)}),
    "groups": Refused("divide the number", {"scores": (2, 6, 5, 3), "alpha": ()}),
    "no groups": Refused("divide the number", {"scores": (2, 6, 5, 0), "alpha": ()}),
    "no channels": Refused("divide the number", {"x": (2, 6, 5, 0)}),
    "alphas": Refused("`alpha` to be a scalar", {"alpha": (4,)}),
    "alpha of rank 2": Refused("`alpha` to be a scalar", {"alpha": (2, 1)}),
    "gates": Refused("`gate` to be a scalar", {"gate": (2,)}),
    "types": Refused(
        "of dtype float with `x` of dtype half",
        dtypes={
            "x": "float16",
            "scores": "float64",
            "alpha": "float64",
            "gate": "float64",
        },
    ),
    "large window": Refused("every window to fit", attributes={"pool_size": (7, 2)}),
    "large padded window": Refused(
        "every window to fit",
        attributes={
            "padding": "explicit",
            "pool_size": (9, 9),
            "explicit_paddings": (1, 1, 1, 1),
        },
    ),
    "empty map": Refused(
        "at least one pixel",
        {"x": (2, 0, 5, 4), "scores": (2, 0, 5, 2)},
        {"pool_size": ()},
    ),
    "empty padded map": Refused(
        "at least one pixel",
        {"x": (2, 0, 5, 4), "scores": (2, 0, 5, 2)},
        {**EXPLICIT, "explicit_paddings": (2, 2, 2, 2)},
    ),
    "one size": Refused("`pool_size` to hold two", attributes={"pool_size": (2,)}),
    "size 0": Refused("`pool_size` to hold two", attributes={"pool_size": (0, 2)}),
    "huge size": Refused("below 2^31", attributes={"pool_size": (2**31, 2)}),
    "three strides": Refused("`strides` to hold", attributes={"strides": (1, 1, 1)}),
    "stride -1": Refused("Received: strides=(1, -1)", attributes={"strides": (1, -1)}),
    "paddings alone": Refused(
        "with padding=explicit only", attributes={"explicit_paddings": (1, 1, 1, 1)}
    ),
    "no paddings": Refused("to hold four", attributes=EXPLICIT),
    "three paddings": Refused(
        "to hold four", attributes={**EXPLICIT, "explicit_paddings": (1, 1, 1)}
    ),
    "negative padding": Refused(
        "to hold four", attributes={**EXPLICIT, "explicit_paddings": (0, 0, -1, 0)}
    ),
    "wide padding": Refused(
        "smaller than the window",
        attributes={**EXPLICIT, "explicit_paddings": (0, 0, 0, 3)},
    ),
    "global strides": Refused(
        "neither `strides` nor", attributes={"pool_size": (), "strides": (1, 1)}
    ),
    "global padding": Refused(
        "neither `strides` nor", attributes={"pool_size": (), "padding": "same"}
    ),
    "huge window": Refused(
        "at most 2^20 pixels",
        attributes={"padding": "same", "pool_size": (BILLION, BILLION)},
    ),
}


def test_refuses_outputs_that_cannot_be_addressed(library_ops):
    @tf.function
    def pool(x):
        scores = tf.zeros((2**30, 2**15, 2**15, 1))
        return library_ops.keras_lap_la_pool(x, scores, 1.0, 1.0, pool_size=(1, 1))

    with pytest.raises(ValueError, match=r"addressed in 64 bits.*Received"):
        pool.get_concrete_function(tf.TensorSpec((2**30, 2**15, 2**15, 2)))


@mode_cases
@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
@pytest.mark.one_in(4)
def test_refuses(library_ops, mode, refused):
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError)) as caught:
        mode(refused.call(library_ops), refused.inputs())
    assert refused.message in str(caught.value)
    assert "Received: " in str(caught.value)


@mode_cases
def test_refuses_an_upstream_gradient_of_another_shape(library_ops, mode):
    inputs = [*Refused("").inputs(), tf.zeros((2, 3, 3, 4))]
    run = both_passes(library_ops, ATTRIBUTES)
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError)) as caught:
        mode(run, inputs)
    assert "the shape of the pooled map, (2, 3, 2, 4)" in str(caught.value)
    assert "Received: dy.shape=(2, 3, 3, 4)" in str(caught.value)


@pytest.mark.parametrize("name", ["padding", "weighting", "gating", "base"])
def test_refuses_unknown_words(library_ops, name):
    refused = Refused("", attributes={name: "other"})
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"other.*not in the list"):
        eager(refused.call(library_ops), refused.inputs())


# Prints a digest of all results, so that processes can be compared.
DIGEST = """
import hashlib, sys
import numpy as np, tensorflow as tf
library, threads = sys.argv[1:]
tf.config.threading.set_intra_op_parallelism_threads(int(threads))
ops = tf.load_op_library(library)
rng = np.random.default_rng(0)
digest = hashlib.sha256()
halving = dict(pool_size=(3, 3), strides=(2, 2), padding="same")
for groups, dtype, size, attributes in (
    (1, "float32", 21, dict(base="max", **halving)),
    (2, "float32", 21, dict(base="avg", **halving)),
    (32, "float32", 21, dict(base="first", **halving)),
    (1, "float16", 21, halving),
    (2, "float64", 1, dict(pool_size=(41, 41))),
):
    x, dy = (rng.normal(size=(5, n, n, 32)).astype(dtype) for n in (41, size))
    scores = rng.random((5, 41, 41, groups))
    if dtype != "float64":
        scores = scores.astype("float32")
    for jit in (False, True):
        run = tf.function(
            lambda *inputs: (
                ops.keras_lap_la_pool(*inputs[:4], **attributes),
                *ops.keras_lap_la_pool_grad(*inputs, **attributes),
            ),
            jit_compile=jit,
        )
        for result in run(x, scores, 2.0, 0.5, dy):
            digest.update(result.numpy().tobytes())
print(digest.hexdigest())
"""


@pytest.mark.thorough
def test_the_number_of_threads_changes_nothing(library_ops):
    digests = {
        subprocess.run(
            fresh_python(DIGEST, FOUND.path, threads),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for threads in ("1", "7")
    }
    assert len(digests) == 1


# TensorFlow collects what XLA can compile once, before it compiles anything. Many
# programs at a time, each with several calls that do not wait for each other, run on
# fewer threads than calls.
LATE_AND_BUSY = """
import concurrent.futures, sys
import numpy as np, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(2)
tf.function(lambda x: x + 1, jit_compile=True)(tf.ones(1))
ops = tf.load_op_library(sys.argv[1])
print("loaded", flush=True)
attributes = dict(pool_size=(2, 2))
x = np.random.default_rng(0).normal(size=(8, 64, 64, 16)).astype("float32")
scores = np.ones((8, 64, 64, 1), "float32")

@tf.function(jit_compile=True)
def run(x):
    inputs = [(x + i, scores, 1.0, 1.0) for i in range(8)]
    ys = [ops.keras_lap_la_pool(*each, **attributes) for each in inputs]
    gradients = [
        ops.keras_lap_la_pool_grad(*each, y, **attributes)[0]
        for each, y in zip(inputs, ys)
    ]
    return tf.add_n(ys), tf.add_n(gradients)

expected = [result.numpy() for result in run(x)]
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    for results in pool.map(lambda _: run(x), range(32)):
        for actual, value in zip(results, expected):
            np.testing.assert_array_equal(actual, value)
print("done")
"""


@pytest.mark.thorough
@pytest.mark.skipif(XLA_REASON is not None, reason=str(XLA_REASON))
def test_xla_takes_what_is_loaded_late_and_a_busy_thread_pool_is_no_deadlock(
    library_ops,
):
    done = subprocess.run(
        fresh_python(LATE_AND_BUSY, FOUND.path),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == "loaded\ndone\n"


# A pooling with fewer integers than there are.
OTHER_VERSION = """
func.func @main(%x: tensor<1x2x2x1xf32>, %one: tensor<1xf32>) -> tensor<1x1x1x1xf32> {
  %y = stablehlo.custom_call @keras_lap.la_pool(%x, %x, %one, %one) {
      api_version = 4 : i32, backend_config = {pooling = array<i64: 1, 2, 2>}
  } : (tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>, tensor<1xf32>, tensor<1xf32>)
      -> tensor<1x1x1x1xf32>
  return %y : tensor<1x1x1x1xf32>
}
"""


@pytest.mark.skipif(XLA_REASON is not None, reason=str(XLA_REASON))
def test_xla_programs_of_another_version_are_refused(library_ops):
    from tensorflow.compiler.tf2xla.python import xla as xla_ops

    inputs = tf.ones((1, 2, 2, 1)), tf.ones(1)
    refused = pytest.raises(
        tf.errors.InvalidArgumentError, match="Expected 18 integers"
    )
    with tf.device("CPU"), refused:
        xla_ops.call_module(
            inputs,
            version=9,
            module=OTHER_VERSION,
            Sout=[(1, 1, 1, 1)],
            Tout=[tf.float32],
            platforms=["CPU"],
        )
