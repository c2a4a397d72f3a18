"""Every layer inside of a layer or a model, in order."""

from keras_lap.graph.call_graph import Graph
from keras_lap.graph.functional_of import functional_of


def layers_inside(layer):
    """Lists the layers inside of a layer, at any depth, each once.

    Functional and Sequential models are followed along the forward pass; layers inside
    a custom layer or a subclassed model come in the order in which it created them.

    Args:
        layer: A layer or a model. It is not in the list itself.

    Returns:
        List of layers, one that holds others before these. Of models that a graph
        calls, there are the layers alone.

    Example:

    >>> import keras
    >>> from keras_lap.graph.layers_inside import layers_inside
    >>> from keras.layers import ReLU, TimeDistributed
    >>> inner = keras.Sequential([ReLU(name="a"), ReLU(name="b")], name="inner")
    >>> [layer.name for layer in layers_inside(TimeDistributed(inner))]
    ['inner', 'a', 'b']
    """
    found = {}
    _collect(layer, found)
    del found[id(layer)]
    return list(found.values())


def _collect(layer, found):
    if id(layer) in found:
        return
    found[id(layer)] = layer
    has_graph = functional_of(layer) is not None
    for inner in Graph(layer).layers if has_graph else layer._layers:
        _collect(inner, found)
