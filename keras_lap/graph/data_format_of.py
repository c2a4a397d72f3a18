"""The layout of the images that a model takes."""

import keras

from keras_lap.graph.axes_behind import map_axes_behind
from keras_lap.graph.call_graph import Graph
from keras_lap.graph.functional_of import functional_of
from keras_lap.graph.lap_layers import lap_layers
from keras_lap.graph.own_data_format import own_data_format
from keras_lap.utils.layout import DATA_FORMATS, spatial_axes


def data_format_of(model, graph=None):
    """The layout of a model's images.

    In a graph it is what the first operation takes that has a `data_format` and that
    images reach, be they transposed on the way, or taken apart into channels that are
    stacked again. Otherwise it is that of the first one that images do not reach as
    maps, that of the LAP layers, or Keras' own. Layers that flatten, or that change
    colours alone, do not count.

    Args:
        model: A `keras.Model`.
        graph: Its `Graph`, if it is at hand.

    Returns:
        `"channels_last"` or `"channels_first"`.

    Example:

    >>> import keras, keras_lap
    >>> from keras_lap.graph.data_format_of import data_format_of
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 3)),
    ...         keras.layers.Permute((3, 1, 2)),
    ...         keras_lap.LAPooling2D(2, data_format="channels_first"),
    ...     ]
    ... )
    >>> data_format_of(model)
    'channels_last'
    """
    if graph is None and functional_of(model) is not None:
        graph = Graph(model)
    return next(_data_formats(model, graph))


def _data_formats(model, graph):
    """The layouts that speak for a model's, the best witness first."""
    if graph is not None:
        yield from _taken_in(graph)
    yield from (layer.data_format for layer in lap_layers(model))
    yield keras.config.image_data_format()


def _taken_in(graph):
    """The layouts of images by which they are read, and those of other maps."""
    of_images, of_others = [], []
    images = {layout: spatial_axes(layout) for layout in DATA_FORMATS}

    def step(call, values):
        read = zip(call.inputs, values, strict=True)
        tensor, axes = next((pair for pair in read if pair[1]), (call.inputs[0], {}))
        own = own_data_format(call.operation)
        if own and len(tensor.shape) == 4:
            wanted = spatial_axes(own)
            of_images.extend(each for each in axes if axes[each] == wanted)
            if not axes:
                of_others.append(own)
        return [_behind(call.operation, axes, tensor, each) for each in call.outputs]

    graph.carry(
        [images if len(tensor.shape) == 4 else {} for tensor in graph.model.inputs],
        step,
    )
    return of_images + of_others


def _behind(operation, axes, before, after):
    """Which axes are spatial behind an operation, for each layout of the images."""
    found = {}
    for layout, pair in axes.items():
        moved = map_axes_behind(operation, pair, before.shape, after.shape)
        if moved is not None:
            found[layout] = tuple(sorted(moved))
    return found
