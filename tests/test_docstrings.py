"""The examples in the docstrings are right."""

import doctest
import importlib.util
import pathlib
import pkgutil

import pytest

import keras_lap
import keras_lap.datasets

MODULES = [
    module.name
    for module in pkgutil.walk_packages(keras_lap.__path__, "keras_lap.")
    if not module.ispkg
]
# Of those that need what is not installed together.
NEEDS = {
    "keras_lap.ops.fused_torch": "torch",
    "keras_lap.injection.step.input_tape.torch_input_tape": "torch",
    "keras_lap.injection.step.input_tape.jax_input_tape": "jax",
    "keras_lap.evaluation.score_gradients.torch_score_gradients": "torch",
    "keras_lap.evaluation.score_gradients.jax_score_gradients": "jax",
}


def has_examples(name):
    return ">>>" in pathlib.Path(importlib.util.find_spec(name).origin).read_text()


@pytest.mark.parametrize("name", [*filter(has_examples, MODULES)])
def test_examples(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0
    assert found.failed == 0


def test_every_module_is_imported():
    for name in MODULES:
        if importlib.util.find_spec(NEEDS.get(name, "keras_lap")):
            importlib.import_module(name)
