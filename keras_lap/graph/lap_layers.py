"""Finds the LAP layers of a model."""

from keras_lap.graph.layers_inside import layers_inside
from keras_lap.layers.base_la_pooling import BaseLAPooling
from keras_lap.utils.check_model import check_model


def lap_layers(model):
    """Lists the LAP layers of a model.

    Functional and Sequential models are followed along the forward pass, nested ones
    entered at any depth; layers inside a custom layer or a subclassed model are
    listed in the order in which it created them. A shared layer is listed once.

    Args:
        model: A `keras.Model`.

    Returns:
        List of LAP layers, shallowest first.

    Raises:
        TypeError: If `model` is no Keras model.

    Example:

    >>> import keras, keras_lap
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras_lap.LAPooling2D(2, name="pool")]
    ... )
    >>> [layer.name for layer in keras_lap.lap_layers(model)]
    ['pool']
    """
    check_model(model)
    return [part for part in layers_inside(model) if isinstance(part, BaseLAPooling)]
