"""What a layer costs, read off its settings and shapes."""

import itertools
import math
from dataclasses import dataclass

from keras import layers

from keras_lap.layers.base_la_pooling import BaseLAPooling
from keras_lap.utils.layout import sizes_and_channels

_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
_BYTES = {"float64": 8, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class Cost:
    """What layers cost.

    Maps whose sizes Keras does not know, such as those of a layer that resizes to a
    size it computes, are not counted: no multiply-adds and no memory.

    Attributes:
        parameters: Number of weights, trainable or not.
        multiply_adds: Multiplications with an addition in one forward pass.
        activation_bytes: Memory of all outputs of one forward pass, in bytes, as
            training keeps them.
    """

    parameters: int = 0
    multiply_adds: int = 0
    activation_bytes: int = 0

    def __add__(self, other):
        return Cost(
            self.parameters + other.parameters,
            self.multiply_adds + other.multiply_adds,
            self.activation_bytes + other.activation_bytes,
        )

    def __sub__(self, other):
        return self + other.times(-1, -1)

    def times(self, batch, parameters=1):
        """The cost of `batch` forward passes with so many copies of the parameters."""
        return Cost(
            self.parameters * parameters,
            self.multiply_adds * batch,
            self.activation_bytes * batch,
        )


def call_cost(operation, read, made, dtype):
    """The cost of one call for one sample, parameters aside.

    Multiply-adds are counted for convolutions, dense layers and LAP, whose score head
    and weighted sum are included, also in a `SpectralNormalization`, without what it
    does to the kernel. Activations are the outputs, and the logits, scores
    and attention of LAP.

    Args:
        operation: A layer or operation, which need not be built.
        read: Shape, without batch axis, of the first tensor it reads; unknown sizes
            are `None`.
        made: List of the shapes of its outputs.
        dtype: Name of the outputs' dtype.

    Returns:
        A `Cost` with no parameters.
    """
    numbers = sum(math.prod(shape) for shape in made if None not in shape)
    is_known = None not in (*read, *made[0])
    if is_known and isinstance(operation, BaseLAPooling):
        pixels, _ = _pixels_and_channels(operation, read)
        if operation.scores != "features":
            numbers += pixels * (2 * operation.concepts + 1 + (operation.hidden or 0))
    return Cost(
        multiply_adds=_multiply_adds(operation, read, made[0]) if is_known else 0,
        activation_bytes=numbers * _BYTES.get(dtype, 4),
    )


def lap_parameters(layer, channels):
    """Number of weights of a LAP layer that is not built yet.

    Args:
        layer: The LAP layer.
        channels: Number of channels of the map that it will read.
    """
    gate_and_alpha = 1 if layer.base is None else 2
    if layer.scores == "features":
        return gate_and_alpha
    concepts, hidden = layer.concepts, layer.hidden
    if hidden is None:
        return gate_and_alpha + (channels + 1) * concepts
    # The hidden layer has no bias, and its norm four vectors.
    return gate_and_alpha + (channels + 4) * hidden + (hidden + 1) * concepts


def _multiply_adds(operation, read, made):
    if isinstance(operation, layers.SpectralNormalization):
        return _multiply_adds(operation.layer, read, made)
    size = math.prod(made)
    if isinstance(operation, BaseLAPooling):
        return _lap_multiply_adds(operation, read, made)
    if isinstance(operation, layers.Dense):
        return size * read[-1]
    if isinstance(operation, _CONVOLUTIONS):
        _, channels = _pixels_and_channels(operation, read)
        return size * math.prod(operation.kernel_size) * channels // operation.groups
    if isinstance(operation, _TRANSPOSED):
        kernel = math.prod(operation.kernel_size)
        return math.prod(read) * kernel * operation.filters
    if isinstance(operation, _DEPTHWISE):
        return size * math.prod(operation.kernel_size)
    if isinstance(operation, _SEPARABLE):
        _, channels = _pixels_and_channels(operation, read)
        between = channels * operation.depth_multiplier
        pixels = size // operation.filters
        return pixels * between * math.prod(operation.kernel_size) + size * between
    return 0


def _lap_multiply_adds(layer, read, made):
    pixels, channels = _pixels_and_channels(layer, read)
    window = pixels if layer.pool_size is None else math.prod(layer.pool_size)
    pooling = math.prod(made) * window
    if layer.scores == "features":
        return pooling
    widths = [channels, *([layer.hidden] if layer.hidden else []), layer.concepts]
    return pooling + pixels * sum(a * b for a, b in itertools.pairwise(widths))


def _pixels_and_channels(layer, shape):
    sizes, channels = sizes_and_channels(shape, layer.data_format)
    return math.prod(sizes), channels
