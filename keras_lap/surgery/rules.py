"""Where LAP layers go: one rule per kind of layer.

A rule knows one kind of layer. It says what takes the place of such a layer, or why it
stays. `RULES` at the end lists the rules in use.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from keras import layers

from keras_lap.layers import GlobalLAPooling2D, LAPooling2D
from keras_lap.ops.windows import output_sizes, same_padding
from keras_lap.surgery.graph import is_map, spatial_sizes
from keras_lap.surgery.rewrite import Lap, LeftAloneError, Own, Rewrite, Zeros


class Rule(ABC):
    """How one kind of layer is converted.

    Attributes:
        where: The setting of `convert` that the rule needs: `"pooling"`, or `"all"`
            for layers that are more than a pooling.
    """

    where = "pooling"

    @abstractmethod
    def matches(self, layer):
        """Whether `layer` is of the rule's kind.

        Subclasses of Keras layers are of no kind, since they may compute something
        else.
        """

    @abstractmethod
    def rewrite(self, layer, graph, skip):
        """Says what takes the place of a layer that matches.

        Args:
            layer: The layer.
            graph: The `Graph` it is called in.
            skip: Names of layers that stay, whatever their kind.

        Returns:
            A `Rewrite`.

        Raises:
            LeftAloneError: If it stays; the message is the reason.
        """


class PoolingRule(Rule):
    """Pooling with a stride becomes LAP with the same windows.

    A `ZeroPadding2D` in front is absorbed where nothing else reads its output: the
    base branch still sees the zeros, and attention goes to real pixels only.
    """

    bases: ClassVar = {layers.MaxPooling2D: "max", layers.AveragePooling2D: "avg"}

    def matches(self, layer):
        return type(layer) in self.bases

    def rewrite(self, layer, graph, skip):
        if max(layer.strides) == 1:
            raise LeftAloneError("its stride is 1, so it does not shrink the map")
        zeros = self._zeros_in_front(layer, graph, skip)
        config = {
            **_common_config(layer, layer.name, self.bases[type(layer)]),
            "pool_size": layer.pool_size,
            "strides": layer.strides,
            "padding": zeros[0].operation.padding if zeros else layer.padding,
        }
        return Rewrite((Lap(LAPooling2D, layer, config),), absorbs=zeros)

    def _zeros_in_front(self, pooling, graph, skip):
        """The calls of `ZeroPadding2D` whose zeros the pooling itself can add."""
        calls = tuple(
            graph.producer(call.inputs[0]) for call in graph.calls_of(pooling)
        )
        absorbable = pooling.padding == "valid" and all(
            self._can_absorb(call, pooling, graph, skip) for call in calls
        )
        if absorbable and len({call.operation.padding for call in calls}) == 1:
            return calls
        return ()

    def _can_absorb(self, call, pooling, graph, skip):
        if call is None or type(call.operation) is not layers.ZeroPadding2D:
            return False
        zeros, padded = call.operation, call.outputs[0]
        return (
            zeros.name not in skip
            and zeros.data_format == pooling.data_format
            and all(
                max(pair) < window
                for pair, window in zip(zeros.padding, pooling.pool_size, strict=True)
            )
            and len(graph.readers(padded)) == 1
            and not graph.is_output(padded)
        )


class GlobalPoolingRule(Rule):
    """The global pooling on the way to the classifier becomes global LAP.

    A global pooling whose result goes back into a feature map, such as a
    squeeze-excite gate, stays: it describes the image to every pixel and passes no
    evidence on to the classifier.
    """

    bases: ClassVar = {
        layers.GlobalMaxPooling2D: "max",
        layers.GlobalAveragePooling2D: "avg",
    }

    def matches(self, layer):
        return type(layer) in self.bases

    def rewrite(self, layer, graph, skip):
        if any(self._feeds_map(call, graph) for call in graph.calls_of(layer)):
            raise LeftAloneError(
                "its result goes back into a feature map, as in a squeeze-excite "
                "gate, and not on to the classifier"
            )
        config = {
            **_common_config(layer, layer.name, self.bases[type(layer)]),
            "keepdims": layer.keepdims,
        }
        return Rewrite((Lap(GlobalLAPooling2D, layer, config),))

    def _feeds_map(self, call, graph):
        pooled, result = call.inputs[0], call.outputs[0]
        return any(
            any(is_map(tensor) for tensor in later.outputs)
            # The shape alone does not give away a gate on a map of one pixel.
            or any(tensor is pooled for tensor in later.inputs)
            for later in graph.downstream(result)
        )


CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)


class PointwiseConvolutionRule(Rule):
    """A strided 1x1 convolution gets LAP in front and runs at stride 1.

    Taking every s-th pixel first gives the same as taking it afterwards, so this
    costs no extra arithmetic. Convolutions that read the same map at the same stride
    share one LAP layer: they mean the same pixels.
    """

    where = "all"

    def matches(self, layer):
        return _is_strided_convolution(layer) and max(layer.kernel_size) == 1

    def rewrite(self, layer, graph, skip):
        first = self._first_sibling(layer, graph, skip)
        sizes = spatial_sizes(graph.calls_of(layer), layer.data_format)
        lap = _sampling(first, sizes, graph)
        return Rewrite((lap, Own({"strides": (1, 1)})))

    def _first_sibling(self, layer, graph, skip):
        calls = graph.calls_of(layer)
        if len(calls) > 1:
            return layer
        return next(
            call.operation
            for call in graph.readers(calls[0].inputs[0])
            if self.matches(call.operation)
            and call.operation.name not in skip
            and len(graph.calls_of(call.operation)) == 1
            and call.operation.strides == layer.strides
            and call.operation.data_format == layer.data_format
            and call.operation.dtype_policy == layer.dtype_policy
        )


class ConvolutionRule(Rule):
    """A strided convolution with a larger kernel runs at stride 1, then LAP follows.

    Padding is done by a layer of its own, with the zeros that the strided
    convolution would have added, so that LAP starts at its first pixel.
    """

    where = "all"

    def matches(self, layer):
        return _is_strided_convolution(layer) and max(layer.kernel_size) > 1

    def rewrite(self, layer, graph, skip):
        if layer.activity_regularizer is not None:
            raise LeftAloneError(
                "its activity regulariser would see the pixels between the strides too"
            )
        sizes = spatial_sizes(graph.calls_of(layer), layer.data_format)
        widths = [(0, 0), (0, 0)]
        if layer.padding == "same":
            axes = zip(sizes, layer.kernel_size, layer.strides, strict=True)
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
        sizes = output_sizes(sizes, layer.kernel_size, (1, 1), widths)
        chain = (
            Own({"strides": (1, 1), "padding": "valid"}),
            _sampling(layer, sizes, graph),
        )
        return Rewrite((zeros, *chain) if any(map(any, widths)) else chain)


def _is_strided_convolution(layer):
    return type(layer) in CONVOLUTIONS and max(layer.strides) > 1


def _zeros_of_same(size, window, stride):
    """Zeros before and after an axis with `padding="same"`; `None` if it depends.

    For an unknown `size` they are certain at stride 1, and for windows of at most two
    pixels, where all of them come after and one too many does no harm.
    """
    if size is None and stride > 1 and window > 2:
        return None
    return same_padding(size or 1, window, stride)


def _sampling(layer, sizes, graph):
    """The LAP layer that starts as taking the pixels 0, s, 2s and so on.

    Args:
        layer: The convolution whose strides it takes over.
        sizes: Spatial sizes of the map it reads, `None` where unknown.
        graph: The `Graph` of the convolution.
    """
    divides = all(
        size is not None and size % stride == 0
        for size, stride in zip(sizes, layer.strides, strict=True)
    )
    # One stride less a pixel keeps the last window, whatever the size.
    padding = "valid" if divides else tuple((0, s - 1) for s in layer.strides)
    config = {
        **_common_config(layer, graph.free_name(f"{layer.name}_lap"), "first"),
        "pool_size": layer.strides,
        "padding": padding,
    }
    return Lap(LAPooling2D, layer, config)


def _common_config(layer, name, base):
    return {
        "name": name,
        "dtype": layer.dtype_policy,
        "data_format": layer.data_format,
        "base": base,
    }


RULES = (
    PoolingRule(),
    GlobalPoolingRule(),
    PointwiseConvolutionRule(),
    ConvolutionRule(),
)
