"""The examples in the docstrings are right."""

import doctest
import importlib
import pkgutil

import pytest

import keras_lap
import keras_lap.datasets

MODULES = [
    module.name
    for module in pkgutil.walk_packages(keras_lap.__path__, "keras_lap.")
    if not module.ispkg
]


NEEDS = {
    "keras_lap.ops.fused_torch": "torch",
    "keras_lap.injection.step.input_tape.torch_input_tape": "torch",
    "keras_lap.injection.step.input_tape.jax_input_tape": "jax",
    "keras_lap.evaluation.score_gradients.torch_score_gradients": "torch",
    "keras_lap.evaluation.score_gradients.jax_score_gradients": "jax",
}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{NEEDS[name]} is not installed")
    module = importlib.import_module(name)
    options = doctest.NORMALIZE_WHITESPACE
    assert doctest.testmod(module, optionflags=options).failed == 0
