"""Strided convolutions with a larger kernel."""

from keras_lap.ops.windows import (
    output_sizes,
    same_depends_on_size,
    same_padding,
)
from keras_lap.surgery.rewrite import LeftAloneError, Own, Rewrite, Zeros
from keras_lap.surgery.rules.check_activation import check_activation
from keras_lap.surgery.rules.rule import Rule
from keras_lap.surgery.rules.sampling import sampling_lap
from keras_lap.surgery.rules.strided_convolution import is_strided_convolution
from keras_lap.surgery.spatial_sizes import spatial_sizes


class ConvolutionRule(Rule):
    """A strided convolution with a larger kernel runs at stride 1, then LAP follows.

    Padding is done by a layer of its own, with the zeros that the strided
    convolution would have added, so that LAP starts at its first pixel.
    """

    where = "all"

    def matches(self, layer):
        return is_strided_convolution(layer) and max(layer.kernel_size) > 1

    def rewrite(self, layer, graph, stays):
        if layer.activity_regularizer is not None:
            raise LeftAloneError(
                "its activity regulariser would see the pixels between the strides too"
            )
        check_activation(layer)
        ends = [end for call in graph.calls_of(layer) for end in call.outputs]
        if any(end is output for end in ends for output in graph.model.outputs):
            raise LeftAloneError("its name is that of an output of the model")
        sizes = spatial_sizes(graph.calls_of(layer), layer.data_format)
        kernel = zip(layer.kernel_size, layer.dilation_rate, strict=True)
        windows = [(size - 1) * rate + 1 for size, rate in kernel]
        widths = [(0, 0), (0, 0)]
        if layer.padding == "same":
            axes = zip(sizes, windows, layer.strides, strict=True)
            widths = [_zeros_of_same(*axis) for axis in axes]
        if None in widths:
            raise LeftAloneError(
                'with padding="same" its zeros depend on the size of its input, which '
                "is unknown or differs between its calls"
            )
        zeros = Zeros(
            {
                "name": graph.free_name(f"{layer.name}_pad"),
                "padding": tuple(widths),
                "data_format": layer.data_format,
                "dtype": layer.dtype_policy,
            }
        )
        sizes = output_sizes(sizes, windows, (1, 1), widths)
        chain = (
            Own(layer, {"strides": (1, 1), "padding": "valid"}),
            sampling_lap(layer, graph, sizes),
        )
        return Rewrite((zeros, *chain) if any(map(any, widths)) else chain)


def _zeros_of_same(size, window, stride):
    """Zeros before and after an axis with `padding="same"`; `None` if it depends."""
    if size is None and same_depends_on_size(window, stride):
        return None
    return same_padding(size or 1, window, stride)
