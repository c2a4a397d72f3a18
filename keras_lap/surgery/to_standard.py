"""Turns a model with LAP layers into one of standard layers and operations."""

import keras

from keras_lap.layers import (
    BaseLAPooling,
    GlobalLAPooling1D,
    GlobalLAPooling2D,
    GlobalLAPooling3D,
    LAPooling1D,
    LAPooling2D,
    LAPooling3D,
)
from keras_lap.layers.score_head import ScoreHead
from keras_lap.ops.la_pool import LaPool
from keras_lap.surgery.read_graph import read_graph
from keras_lap.surgery.rebuild import rebuild
from keras_lap.surgery.standard_pooling import standard_pooling

_LAP_LAYERS = (
    LAPooling1D,
    LAPooling2D,
    LAPooling3D,
    GlobalLAPooling1D,
    GlobalLAPooling2D,
    GlobalLAPooling3D,
)


def to_standard(model):
    """Makes an equivalent model that does not need this library, for serving.

    The result has no LAP layers: each became a nested model of the same name made of
    standard Keras layers and operations, by `standard_pooling`. So it runs where
    keras_lap is not installed, from a `.keras` file as well as from a SavedModel, and
    becomes LiteRT or ONNX operations by `model.export(path, format="litert")` or
    `format="onnx"`. All other layers are copied, with their names, weights and flags.

    It computes what `model` does at inference, to rounding. It is for inference alone:
    alpha, gates and the batch norms of score heads have become constants, and there is
    no map left to explain from.

    A LAP layer in float32 needs operations alone that are built into LiteRT, except
    where a gate of 0 leaves a standard 3D pooling, which LiteRT does not have. In mixed
    precision it needs LiteRT's Flex delegate, as a convolution does.
    Keras exports to ONNX only a model that was called: call the result once before.

    Args:
        model: Functional or built Sequential model, which stays as it is.

    Returns:
        A new model, Functional or Sequential as `model` is.

    Raises:
        TypeError: If `model` is no Keras model.
        ValueError: If `model` has no graph of layers to read, as a subclassed model;
            if a LAP layer is inside a custom layer or of a class of its own; if
            `keras_lap.la_pool` was called in the graph; if a layer cannot be copied by
            its config or shares weights with another; or if `padding="same"` with a
            stride and a window of more than two pixels meets maps of unknown size, or
            of several sizes.

    Example:

    >>> import keras, keras_lap
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((16, 16, 3)),
    ...         keras.layers.Conv2D(8, 3),
    ...         keras_lap.LAPooling2D(2, name="pool"),
    ...         keras_lap.GlobalLAPooling2D(name="head"),
    ...     ]
    ... )
    >>> standard = keras_lap.to_standard(model)
    >>> [type(layer).__name__ for layer in standard.layers]
    ['Conv2D', 'Functional', 'Functional']
    >>> len(keras_lap.lap_layers(standard))
    0
    """
    graph = read_graph(model)
    for operation in graph.operations:
        if type(operation) not in _LAP_LAYERS:
            _check_is_standard(operation)
    standards = {
        id(layer): (layer, standard_pooling(layer, *shapes))
        for layer, shapes in _shapes_read(graph)
    }
    chains = {key: [standard] for key, (_, standard) in standards.items()}
    model = rebuild(graph, chains).model
    for layer, standard in standards.values():
        standard.trainable = layer.trainable
    return model


def _shapes_read(graph):
    """Pairs of a LAP layer and the shapes that it reads in one forward pass.

    A nested model that takes maps of any size is given those of the model it is in.
    """
    found = {}

    def step(call, tensors):
        layer = call.operation
        if type(layer) in _LAP_LAYERS:
            found.setdefault(id(layer), (layer, []))[1].append(tensors[0].shape)
        pairs = zip(tensors, call.inputs, strict=True)
        is_same = all(given.shape == read.shape for given, read in pairs)
        return call.outputs if is_same else call.make(tensors)

    graph.carry(graph.model.inputs, step)
    return found.values()


def _check_is_standard(operation):
    parts = [operation]
    if isinstance(operation, keras.Layer):
        parts = operation._flatten_layers()
    for part in parts:
        if not isinstance(part, (BaseLAPooling, ScoreHead, LaPool)):
            continue
        kind = type(part).__name__
        if part is not operation:
            received = (
                f"{part.name!r} ({kind}) inside {operation.name!r} of class "
                f"{type(operation).__name__}, whose `call` is no graph to rewrite. "
                "Call the LAP layer in the model's own graph"
            )
        elif isinstance(part, LaPool):
            received = "`keras_lap.la_pool` called in the graph. Use a LAP layer there"
        else:
            received = (
                f"{part.name!r} of class {kind}, which may compute something else. "
                "Use the layer it is made from"
            )
        raise ValueError(
            "Expected LAP layers of this library in a graph of layers, which can be "
            f"written out in standard ones. Received: {received}."
        )
