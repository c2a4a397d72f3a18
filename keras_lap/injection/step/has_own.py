"""Methods of a model that are its user's."""

import keras


def has_own(model, name):
    """Whether a model's method is not that of `keras.Model`.

    Its class overrides it, or it was set on the model.
    """
    is_replaced = name in vars(model)
    return is_replaced or getattr(type(model), name) is not getattr(keras.Model, name)
