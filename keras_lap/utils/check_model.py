"""A check that a model is one."""

import inspect
import os

import keras


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
