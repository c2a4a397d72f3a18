"""Pooling by operations, which is no layer that LAP could take the place of."""

from keras.src.ops import nn, numpy

from keras_lap.graph.windows_of import windows_of
from keras_lap.surgery.rules.feeds_map import feeds_map
from keras_lap.utils.layout import DATA_FORMATS, spatial_axes

_POOLINGS = {nn.MaxPool: "MaxPooling2D", nn.AveragePool: "AveragePooling2D"}
_REDUCTIONS = {numpy.Max: "GlobalMaxPooling2D", numpy.Mean: "GlobalAveragePooling2D"}


def pooling_layer_for(operation, graph):
    """The layer that does what an operation does if that pools images.

    Args:
        operation: An operation that is no layer.
        graph: The `Graph` that it is called in.

    Returns:
        The name of the layer, or `None` for other operations, for a pooling with a
        stride of 1, and for a global one whose result goes back into a feature map.
    """
    call, *_ = graph.calls_of(operation)
    rank = len(call.inputs[0].shape)
    if rank != 4:
        return None
    if type(operation) in _POOLINGS:
        is_strided = max(windows_of(operation).strides) > 1
        return _POOLINGS[type(operation)] if is_strided else None
    axes = getattr(operation, "axis", None)
    if type(operation) not in _REDUCTIONS or not isinstance(axes, list | tuple):
        return None
    axes = tuple(sorted(axis % rank for axis in axes))
    is_global = axes in map(spatial_axes, DATA_FORMATS)
    is_evidence = is_global and not feeds_map(call, graph)
    return _REDUCTIONS[type(operation)] if is_evidence else None
