"""The first phase of fine-tuning: nothing learns but the LAP layers."""

from keras_lap.layers import BaseLAPooling
from keras_lap.layers.model_graph import check_model


def freeze_all_but_lap(model):
    """Freezes a model's weights except for those of its LAP layers.

    Scores and sharpness then adapt to the network, and not the other way round. Frozen
    batch norms also stop updating their statistics, as ever in Keras. A compiled model
    has to be compiled anew, as after any change of `trainable`.

    Args:
        model: A built model, changed in place.

    Returns:
        List of what is frozen now and was not before: layers, and variables of layers
        that have LAP layers inside. To let all of it learn again, set `trainable` of
        each to `True`.

    Raises:
        TypeError: If `model` is no Keras model.
        ValueError: If it has no LAP layer, in which case nothing is changed.

    Example:

    >>> import keras, keras_lap
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 3)),
    ...         keras.layers.Conv2D(4, 3),
    ...         keras_lap.LAPooling2D(2),
    ...     ]
    ... )
    >>> frozen = keras_lap.freeze_all_but_lap(model)
    >>> [weight.name for weight in model.trainable_weights]
    ['raw_alpha', 'kernel', 'bias']
    >>> for part in frozen:
    ...     part.trainable = True
    >>> len(model.trainable_weights)
    5
    """
    check_model(model)
    if not _holds_lap(model):
        raise ValueError(
            f"Expected a model with LAP layers. Received: {model.name!r}, which has "
            "none: make one with `keras_lap.convert(model)`."
        )
    parts = list(_parts(model))
    frozen = [part for part in parts if part.trainable]
    for layer in model._flatten_layers():
        if _holds_lap(layer) and not layer.trainable:
            layer.trainable = True
    for part in parts:
        part.trainable = False
    return frozen


def _parts(layer):
    """The innermost layers outside LAP, and the variables of the others' own."""
    if isinstance(layer, BaseLAPooling):
        return
    if not layer._layers:
        yield layer
        return
    yield from layer._trainable_variables
    for inner in layer._layers:
        yield from _parts(inner)


def _holds_lap(layer):
    return any(isinstance(part, BaseLAPooling) for part in layer._flatten_layers())
