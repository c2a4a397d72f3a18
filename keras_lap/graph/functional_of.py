"""Which models are nothing but their graph of layers."""

import keras
from keras.src.models.functional import Functional


def functional_of(operation):
    """The Functional model that says what a model computes, or `None`.

    A Sequential model has one once it is built. A subclass that overrides `call` has
    none: its graph, if it has one, is not what it computes.

    Args:
        operation: A model, or any other operation, which has no graph.
    """
    if isinstance(operation, keras.Sequential):
        standard = type(operation).call is keras.Sequential.call
        return operation._functional if standard else None
    if isinstance(operation, Functional) and type(operation).call is Functional.call:
        return operation
    return None
