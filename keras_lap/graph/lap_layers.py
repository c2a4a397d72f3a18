"""Finds the LAP layers of a model."""

from keras_lap.graph.call_graph import Graph
from keras_lap.graph.functional_of import functional_of
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
    has_graph = functional_of(model) is not None
    outer = Graph(model).layers if has_graph else [model]
    parts = (part for layer in outer for part in layer._flatten_layers())
    found = {id(part): part for part in parts if isinstance(part, BaseLAPooling)}
    return list(found.values())
