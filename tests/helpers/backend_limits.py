"""Marks of tests on what Keras does not have on every backend."""

import keras
import pytest

ON_TORCH = keras.config.backend() == "torch"

traced = pytest.mark.skipif(
    ON_TORCH, reason="on torch Keras traces nothing: every step runs in Python"
)
suffices_on_tensorflow = pytest.mark.skipif(
    keras.config.backend() != "tensorflow",
    reason="what it may find elsewhere, other tests find there",
)
slow_on_jax = pytest.mark.skipif(
    keras.config.backend() == "jax",
    reason="JAX compiles for long what other tests compile as well",
)
several_steps = pytest.mark.skipif(
    ON_TORCH, reason="on torch Keras has no `steps_per_execution`"
)
compiled_steps = pytest.mark.skipif(
    ON_TORCH, reason="torch takes minutes to compile a step"
)
COMPILED = pytest.param({"jit_compile": True}, marks=compiled_steps, id="compiled")
outlives_step = pytest.mark.skipif(
    keras.config.backend() == "jax", reason="on JAX no tensor outlives its step"
)
initial_weights = pytest.mark.skipif(
    keras.config.backend() != "tensorflow",
    reason="from the seed's initial weights on TensorFlow, which others do not draw",
)
