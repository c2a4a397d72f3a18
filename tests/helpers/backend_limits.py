"""Marks of tests that do not run on every backend, and why."""

import keras
import pytest

ON_TENSORFLOW = keras.config.backend() == "tensorflow"
ON_TORCH = keras.config.backend() == "torch"

traced = pytest.mark.skipif(
    ON_TORCH, reason="on torch Keras traces nothing: every step runs in Python"
)
several_steps = pytest.mark.skipif(
    ON_TORCH, reason="on torch Keras has no `steps_per_execution`"
)
compiled_steps = pytest.mark.skipif(
    ON_TORCH, reason="torch takes minutes to compile a step"
)
float64_products = pytest.mark.skipif(
    ON_TORCH, reason="on torch Keras multiplies matrices of float64 in float32"
)
COMPILED = pytest.param({"jit_compile": True}, marks=compiled_steps, id="compiled")
outlives_step = pytest.mark.skipif(
    keras.config.backend() == "jax", reason="on JAX no tensor outlives its step"
)
initial_weights = pytest.mark.skipif(
    not ON_TENSORFLOW,
    reason="from the seed's initial weights on TensorFlow, which others do not draw",
)
shown_on_tensorflow = pytest.mark.skipif(
    not ON_TENSORFLOW,
    reason="what it shows depends on no backend; TensorFlow has what it needs",
)
