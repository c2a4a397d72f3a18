"""The function `la_pool` inside TensorFlow's graphs and XLA."""

import autodiff
import keras
import numpy as np
import pytest
from cases import Case, cases, random_upstream
from effort import examples
from hypothesis import given, settings
from test_la_pool import (
    GEOMETRIES,
    IMPLEMENTATIONS,
    assert_equals_the_oracle,
    assert_gradients_equal_the_closed_form,
    pool_gradients,
)

from keras_lap import la_pool

if keras.config.backend() != "tensorflow":
    pytest.skip("TensorFlow itself is tested", allow_module_level=True)

import tensorflow as tf

implementations = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)


@implementations
@settings(max_examples=examples(15))
@given(cases(max_window=3))
def test_sizes_unknown_to_the_graph_change_nothing(implementation, case):
    tensors = case.tensors()
    arguments = {**case.arguments, "implementation": implementation}
    if len(case.sizes) == 3:
        arguments["implementation"] = "reference"
    axis = 1 if case.arguments["data_format"] == "channels_first" else -1
    shapes = []
    for channels in (case.channels, case.groups):
        shape = [None] * (len(case.sizes) + 2)
        shape[axis] = channels
        shapes.append(shape)

    @tf.function(input_signature=[tf.TensorSpec(shape, case.dtype) for shape in shapes])
    def pool(x, scores):
        return la_pool(**{**tensors, "x": x, "scores": scores}, **arguments)

    assert pool.get_concrete_function().output_shapes[axis] == case.channels
    assert_equals_the_oracle(pool(tensors["x"], tensors["scores"]), case)


@implementations
def test_a_map_of_unknown_size_smaller_than_the_window_is_refused(implementation):
    @tf.function(input_signature=[tf.TensorSpec((1, None, None, 1))])
    def pool(x):
        return la_pool(x, x, 2.0, 3, implementation=implementation)

    assert pool(tf.ones((1, 3, 7, 1))).shape == (1, 1, 2, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="every window to fit"):
        pool(tf.ones((1, 2, 7, 1)))


@pytest.mark.parametrize("name", ["x", "scores", "alpha", "base_gate"])
def test_a_rank_unknown_to_the_graph_is_refused(name):
    tensors = {"x": tf.ones((1, 4, 4, 2)), "scores": tf.ones((1, 4, 4, 1))}
    tensors |= {"alpha": 2.0, "base_gate": 0.5}

    def pool(tensor):
        return la_pool(**{**tensors, name: tensor}, pool_size=2, base="max")

    pool = tf.function(pool, input_signature=[tf.TensorSpec(None)])
    with pytest.raises(ValueError, match=f"rank of `{name}` .*unknown.*ensure_shape"):
        pool.get_concrete_function()


@implementations
@pytest.mark.parametrize("geometry", [GEOMETRIES[1], GEOMETRIES[3]], ids=str)
def test_compiles_with_xla(implementation, geometry):
    case = Case(
        batch=2,
        sizes=(7, 5),
        channels=4,
        groups=2,
        score_kind="tied",
        dtype="float32",
        alpha=2.0,
        base_gate=None,
        arguments={**geometry, "data_format": "channels_last"},
        seed=0,
    )
    arguments = {**case.arguments, "implementation": implementation}
    upstream = random_upstream(case)

    @tf.function(jit_compile=True)
    def compiled(tensors):
        gradients = pool_gradients(tensors, arguments, upstream)
        return la_pool(**tensors, **arguments), gradients

    y, gradients = compiled(
        {name: tf.cast(value, "float32") for name, value in case.tensors().items()}
    )
    assert_equals_the_oracle(y, case)
    assert_gradients_equal_the_closed_form(gradients, case, upstream)


@implementations
@pytest.mark.parametrize("jit_compile", [False, True])
def test_second_derivatives_of_the_max_base_in_graphs(rng, implementation, jit_compile):
    """Where features are tied, too."""
    x = rng.integers(4, size=(1, 3, 3, 2)).astype("float64")
    scores = rng.random((1, 3, 3, 1))
    arguments = {"padding": "same", "base": "max", "base_gate": 0.25}
    arguments["data_format"] = "channels_last"

    def second(implementation, x):
        def pool(tensors):
            y = la_pool(
                *(tensors["x"], scores, 2.0, 2, 1),
                **arguments,
                implementation=implementation,
            )
            return y**3

        def slope(tensors):
            return autodiff.gradients(pool, tensors)["x"] ** 2

        return autodiff.gradients(slope, {"x": x})["x"]

    compiled = tf.function(second, jit_compile=jit_compile, autograph=False)
    found = compiled(implementation, tf.constant(x))
    np.testing.assert_allclose(found, second("reference", x), rtol=1e-12)
    # In graphs TensorFlow's own is wrong here in some runs.
    graph = compiled.get_concrete_function(implementation, tf.constant(x)).graph
    assert "MaxPoolGradGrad" not in {op.type for op in graph.get_operations()}


@implementations
def test_scores_of_padding_alarm_no_check_for_infinities(implementation):
    x = tf.ones((1, 3, 3, 2))
    tf.debugging.enable_check_numerics()
    try:
        la_pool(x, x, 2.0, 2, padding="same", implementation=implementation)
    finally:
        tf.debugging.disable_check_numerics()
