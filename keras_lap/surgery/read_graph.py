"""Reads the graph of a model, or says what to do if it has none."""

import keras

from keras_lap.graph.call_graph import Graph
from keras_lap.graph.functional_of import functional_of
from keras_lap.utils.check_model import check_model


def read_graph(model):
    """The `Graph` of a model that has one.

    Args:
        model: A model.

    Returns:
        A `Graph`.

    Raises:
        TypeError: If `model` is no Keras model.
        ValueError: If it is a subclassed model, or Sequential and not built.
    """
    check_model(model)
    if functional_of(model) is not None:
        return Graph(model)
    received = f"Received: {model.name!r} of class {type(model).__name__}"
    if isinstance(model, keras.Sequential) and not model.built:
        raise ValueError(
            f"Expected a Sequential model that is built. {received}. Call its "
            "`build(input_shape)` first."
        )
    raise ValueError(
        "Expected a Functional or Sequential model, whose graph of layers can be "
        f"read. {received}, which has a `call` of its own. Either use "
        "`keras_lap.LAPooling2D` instead of the pooling there, or make the model "
        "Functional first: `keras.Model(x, model.call(x))` with `x = keras.Input(...)`."
    )
