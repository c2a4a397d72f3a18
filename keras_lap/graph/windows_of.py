"""The windows of what reads a map window by window."""

from typing import Any, NamedTuple

from keras import layers
from keras.src.ops import image, nn

from keras_lap.layers.la_pooling2d import LAPooling2D

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_POOLINGS = (
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    LAPooling2D,
    nn.MaxPool,
    nn.AveragePool,
)


class Windows(NamedTuple):
    """Windows over a map, height first.

    Attributes:
        size: How many pixels of each axis they read.
        strides: Steps from one to the next.
        padding: `"valid"`, `"same"`, or one pair of integers per axis.
        dilation: Distances between the pixels of a window.
    """

    size: tuple[int, int]
    strides: tuple[int, int]
    padding: Any
    dilation: tuple[int, int]


def windows_of(operation):
    """The windows of a 2D convolution or pooling, or of what cuts out patches.

    Args:
        operation: A layer, or another operation of Keras.

    Returns:
        A `Windows`, or `None` for what has none. A transposed convolution writes by
        windows and does not read so.
    """
    if isinstance(operation, layers.SpectralNormalization):
        return windows_of(operation.layer)
    if isinstance(operation, CONVOLUTIONS):
        size, dilation = operation.kernel_size, operation.dilation_rate
    elif isinstance(operation, _POOLINGS):
        size, dilation = operation.pool_size, 1
    elif isinstance(operation, image.ExtractPatches):
        size, dilation = operation.size, operation.dilation_rate
    else:
        return None
    strides = size if operation.strides is None else operation.strides
    return Windows(_pair(size), _pair(strides), operation.padding, _pair(dilation))


def _pair(number):
    return (number, number) if isinstance(number, int) else tuple(number)
