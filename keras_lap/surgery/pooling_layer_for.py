"""Pooling by operations, which is no layer that LAP could take the place of."""

from keras.src.ops import nn, numpy

from keras_lap.graph.windows_of import windows_of
from keras_lap.surgery.rules.feeds_map import feeds_map
from keras_lap.utils.layout import DATA_FORMATS, spatial_axes

_POOLINGS = {nn.MaxPool: "MaxPooling2D", nn.AveragePool: "AveragePooling2D"}
_ADAPTIVE = {
    nn.AdaptiveMaxPool: "AdaptiveMaxPooling2D",
    nn.AdaptiveAveragePool: "AdaptiveAveragePooling2D",
}
_REDUCTIONS = {numpy.Max: "GlobalMaxPooling2D", numpy.Mean: "GlobalAveragePooling2D"}


def pooling_layer_for(operation, graph):
    """The layer that does what an operation does if that pools images.

    Args:
        operation: An operation that is no layer.
        graph: The `Graph` that it is called in.

    Returns:
        The name of the layer, or `None` for other operations, for a pooling with a
        stride of 1, for an adaptive one to several pixels, and for a global one whose
        result goes back into a feature map.
    """
    call, *_ = graph.calls_of(operation)
    if len(call.inputs[0].shape) != 4:
        return None
    if type(operation) in _POOLINGS:
        is_strided = max(windows_of(operation).strides) > 1
        return _POOLINGS[type(operation)] if is_strided else None
    if type(operation) in _ADAPTIVE:
        name, is_global = _ADAPTIVE[type(operation)], operation.output_size == (1, 1)
    elif type(operation) in _REDUCTIONS:
        name, is_global = _REDUCTIONS[type(operation)], _is_spatial(operation.axis)
    else:
        return None
    return name if is_global and not feeds_map(call, graph) else None


def _is_spatial(axes):
    """Whether axes of a tensor of rank 4 are those of a map's rows and columns."""
    if not isinstance(axes, list | tuple):
        return False
    return tuple(sorted(axis % 4 for axis in axes)) in map(spatial_axes, DATA_FORMATS)
