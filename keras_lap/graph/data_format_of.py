"""The layout of the images that a model takes."""

import keras

from keras_lap.graph.axes_behind import axes_behind
from keras_lap.graph.call_graph import Graph
from keras_lap.graph.functional_of import functional_of
from keras_lap.graph.lap_layers import lap_layers
from keras_lap.utils.layout import DATA_FORMATS, spatial_axes


def data_format_of(model):
    """The layout of a model's images.

    In a graph it is what the first operation takes that has a `data_format` and that
    images reach, be they transposed on the way. Otherwise it is that of the LAP layers,
    or Keras' own if there are none.

    Args:
        model: A `keras.Model`.

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
    taken = [] if functional_of(model) is None else _taken_in(Graph(model))
    taken += [layer.data_format for layer in lap_layers(model)]
    return taken[0] if taken else keras.config.image_data_format()


def _taken_in(graph):
    """The layouts of images by which they are read, call by call."""
    found = []
    images = {layout: spatial_axes(layout) for layout in DATA_FORMATS}

    def step(call, values):
        (tensor, axes), *_ = zip(call.inputs, values, strict=True)
        rank = len(tensor.shape)
        own = getattr(call.operation, "data_format", None)
        # A `Flatten` has Keras' own wherever the channels of what it reads lie.
        is_flatten = isinstance(call.operation, keras.layers.Flatten)
        if rank == 4 and own in DATA_FORMATS and not is_flatten:
            read = spatial_axes(own)
            found.extend(each for each in axes if tuple(sorted(axes[each])) == read)
        return [_behind(call.operation, axes, tensor, each) for each in call.outputs]

    graph.carry(
        [images if len(tensor.shape) == 4 else {} for tensor in graph.model.inputs],
        step,
    )
    return found


def _behind(operation, axes, before, after):
    """Where rows and columns lie behind an operation, for each layout of the images."""
    found = {}
    for layout, pair in axes.items():
        moved = axes_behind(operation, pair, before.shape, after.shape)
        if moved is not None:
            found[layout] = moved
        elif len(after.shape) == len(before.shape):
            found[layout] = pair
    return found
