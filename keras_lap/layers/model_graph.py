"""Which models are nothing but their graph of layers."""

import inspect
import os

import keras
from keras import tree
from keras.src.models.functional import Functional


def graph_of(operation):
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


def tensors_read(operation, args, kwargs):
    """The symbolic tensors that a call reads.

    Args:
        operation: A layer or operation. Of a model that has a graph they come in the
            order of its inputs: a dict is read by their names, as Keras does.
        args: Positional arguments of the call.
        kwargs: Keyword arguments of the call.

    Returns:
        A list of `keras.KerasTensor`.
    """
    graph = graph_of(operation)
    if graph is not None:
        given, *_ = (*args, *kwargs.values())
        names = [tensor.name for tensor in graph.inputs]
        if isinstance(given, dict) and given.keys() >= set(names):
            return [given[name] for name in names]
    flat = tree.flatten((args, kwargs))
    return [value for value in flat if isinstance(value, keras.KerasTensor)]


def check_model(model):
    """Raises a `TypeError` if `model` is no Keras model."""
    if not isinstance(model, keras.Model):
        advice = ""
        if isinstance(model, str | os.PathLike):
            advice = ". Load a file first, by `keras.saving.load_model`"
        elif inspect.isfunction(model):
            advice = ". Call it first, to get a model"
        raise TypeError(
            "Expected `model` to be a keras.Model. "
            f"Received: model of type {type(model).__name__}{advice}"
        )
