"""The first phase of fine-tuning: nothing learns but the LAP layers."""

from keras_lap.layers import BaseLAPooling
from keras_lap.utils.check_model import check_model


def freeze_all_but_lap(model):
    """Freezes a model's weights except for those of its LAP layers.

    Scores and sharpness then adapt to the network, and not the other way round. Frozen
    batch norms also stop updating their statistics, as ever in Keras. A compiled model
    has to be compiled anew, as after any change of `trainable`.

    Args:
        model: A built model, changed in place.

    Returns:
        A function without arguments, which gives all layers and weights of the model
        the `trainable` flags that they had before.

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
    >>> thaw = keras_lap.freeze_all_but_lap(model)
    >>> [weight.name for weight in model.trainable_weights]
    ['raw_alpha', 'kernel', 'bias']
    >>> thaw()
    >>> len(model.trainable_weights)
    5
    """
    check_model(model)
    if not _holds_lap(model):
        raise ValueError(
            f"Expected a model with LAP layers. Received: {model.name!r}, which has "
            "none: make one with `keras_lap.convert(model)`."
        )
    thaw = _restorer(model)
    for layer in model._flatten_layers():
        if _holds_lap(layer) and not layer.trainable:
            layer.trainable = True
    for part in _parts(model):
        part.trainable = False
    return thaw


def _restorer(model):
    """A function that sets all flags to what they are now."""
    layers = [(layer, layer.trainable) for layer in model._flatten_layers()]
    weights = [(weight, weight.trainable) for weight in model.weights]

    def restore():
        for layer, trainable in layers:
            # The property would pass the flag on to layers inside, which may be shared
            # with others and set already.
            layer._trainable = trainable
        for weight, trainable in weights:
            weight.trainable = trainable

    return restore


def _parts(layer):
    """The innermost layers outside LAP, and all weights that a flag freezes there."""
    if isinstance(layer, BaseLAPooling):
        return
    if not layer._layers:
        yield layer
    yield from layer._trainable_variables
    for inner in layer._layers:
        yield from _parts(inner)


def _holds_lap(layer):
    return any(isinstance(part, BaseLAPooling) for part in layer._flatten_layers())
