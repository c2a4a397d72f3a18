"""Strided 1x1 convolutions."""

from keras_lap.surgery.rewrite import Own, Rewrite
from keras_lap.surgery.rules.register_rule import rule_for
from keras_lap.surgery.rules.rule import Rule
from keras_lap.surgery.rules.sampling import sampling_lap
from keras_lap.surgery.rules.strided_convolution import is_strided_convolution
from keras_lap.surgery.spatial_sizes import spatial_sizes


class PointwiseConvolutionRule(Rule):
    """A strided 1x1 convolution gets LAP in front and runs at stride 1.

    Taking every s-th pixel first gives the same as taking it afterwards, so this
    costs no extra arithmetic. Convolutions that read the same map at the same stride
    share one LAP layer: they mean the same pixels.
    """

    where = "all"

    def matches(self, layer):
        return is_strided_convolution(layer) and max(layer.kernel_size) == 1

    def rewrite(self, layer, graph, stays):
        first = self._first_sibling(layer, graph, stays)
        sizes = spatial_sizes(graph.calls_of(layer), layer.data_format)
        lap = sampling_lap(first, graph, sizes)
        return Rewrite((lap, Own(layer, {"strides": (1, 1)})))

    def _first_sibling(self, layer, graph, stays):
        calls = graph.calls_of(layer)
        if len(calls) > 1:
            return layer
        return next(
            call.operation
            for call in graph.readers(calls[0].inputs[0])
            if rule_for(call.operation) is self
            and not stays(call.operation)
            and len(graph.calls_of(call.operation)) == 1
            and call.operation.strides == layer.strides
            and call.operation.data_format == layer.data_format
            and call.operation.dtype_policy == layer.dtype_policy
        )
