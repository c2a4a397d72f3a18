"""Methods of a model that are its user's."""

import keras


def has_own(model, name):
    """Whether a model has another method of a name than `keras.Model`."""
    is_replaced = name in vars(model)
    return is_replaced or getattr(type(model), name) is not getattr(keras.Model, name)
