"""Where the axes of a map come to lie when a tensor is transposed or reshaped."""

import math

from keras import KerasTensor, layers
from keras.src.ops.numpy import Moveaxis, Reshape, Swapaxes, Transpose

_TRANSPOSING = layers.Permute, Moveaxis, Swapaxes, Transpose
_RESHAPING = layers.Reshape, Reshape


def axes_behind(operation, axes, before, after):
    """The axes of a map in what an operation makes of a tensor.

    Args:
        operation: A layer, or another operation of Keras.
        axes: The axes of the map's rows and columns in the tensor.
        before: Shape of the tensor.
        after: Shape of what is made of it.

    Returns:
        The axes of the same rows and columns, or `None` if the operation does not
        merely transpose, or reshape what is beside them.

    Example:
    >>> from keras import layers
    >>> from keras_lap.graph.axes_behind import axes_behind
    >>> to_channels_first = layers.Permute((3, 1, 2))
    >>> axes_behind(to_channels_first, (1, 2), (None, 8, 6, 4), (None, 4, 8, 6))
    (2, 3)
    >>> by_groups = layers.Reshape((8, 6, 2, 2))
    >>> axes_behind(by_groups, (1, 2), (None, 8, 6, 4), (None, 8, 6, 2, 2))
    (1, 2)
    """
    if isinstance(operation, _TRANSPOSING):
        numbered = KerasTensor(range(1, len(before) + 1))
        order = operation.compute_output_spec(numbered).shape
        return tuple(order.index(axis + 1) for axis in axes)
    if isinstance(operation, _RESHAPING):
        return _reshaped(axes, before[1:], after[1:])
    return None


def map_axes_behind(operation, axes, before, after):
    """The axes of a map in what any operation makes of a tensor.

    Of the same rank it has the same axes. One of another rank, such as a single channel
    of a map, is told by its sizes. Arguments are those of `axes_behind`.

    Returns:
        The axes of rows and columns, or `None` if it is no map.
    """
    moved = axes_behind(operation, axes, before, after)
    if moved is not None:
        return moved
    if len(before) == len(after):
        return axes
    pairs = [(axis, axis + 1) for axis in range(1, len(after) - 1)]
    sizes = [before[axis] for axis in axes]
    return next((pair for pair in pairs if [after[i] for i in pair] == sizes), None)


def _reshaped(axes, before, after):
    """As `axes_behind`, of shapes without the batch axis."""
    row, column = axes
    if column != row + 1 or None in (*before, *after):
        return None
    size, outside = before[row - 1 : column], math.prod(before[: row - 1])
    for at in range(len(after) - 1):
        if after[at : at + 2] == size and math.prod(after[:at]) == outside:
            return at + 1, at + 2
    return None
