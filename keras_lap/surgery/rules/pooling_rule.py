"""Pooling with a stride."""

from typing import ClassVar

from keras import layers

from keras_lap.layers import LAPooling2D
from keras_lap.ops.repeats_border import repeats_border
from keras_lap.surgery.rewrite import Lap, LeftAloneError, Rewrite
from keras_lap.surgery.rules.place_config import place_config
from keras_lap.surgery.rules.rule import Rule
from keras_lap.surgery.spatial_sizes import spatial_sizes


class PoolingRule(Rule):
    """Pooling with a stride becomes LAP with the same windows.

    A `ZeroPadding2D` in front is absorbed where nothing else reads its output: the
    base branch still sees the zeros, and attention goes to real pixels only.
    """

    bases: ClassVar = {layers.MaxPooling2D: "max", layers.AveragePooling2D: "avg"}

    def matches(self, layer):
        return type(layer) in self.bases

    def rewrite(self, layer, graph, stays):
        if max(layer.strides) == 1:
            raise LeftAloneError("its stride is 1, so it does not shrink the map")
        base = self.bases[type(layer)]
        sizes = spatial_sizes(graph.calls_of(layer), layer.data_format)
        windows = (layer.pool_size, layer.strides, layer.padding)
        if repeats_border(base, sizes, *windows):
            raise LeftAloneError(
                'with padding="same" Keras on torch averages over repeated pixels of '
                "the border too, unless its zeros are known and even"
            )
        zeros = self._zeros_in_front(layer, graph, stays)
        config = {
            **place_config(layer, layer.name, base),
            "activity_regularizer": layer.activity_regularizer,
            "pool_size": layer.pool_size,
            "strides": layer.strides,
            "padding": zeros[0].operation.padding if zeros else layer.padding,
        }
        return Rewrite((Lap(LAPooling2D, layer, config),), absorbs=zeros)

    def _zeros_in_front(self, pooling, graph, stays):
        """The calls of `ZeroPadding2D` whose zeros the pooling itself can add."""
        calls = tuple(
            graph.producer(call.inputs[0]) for call in graph.calls_of(pooling)
        )
        absorbable = pooling.padding == "valid" and all(
            self._can_absorb(call, pooling, graph, stays) for call in calls
        )
        if absorbable and len({call.operation.padding for call in calls}) == 1:
            return calls
        return ()

    def _can_absorb(self, call, pooling, graph, stays):
        if call is None or type(call.operation) is not layers.ZeroPadding2D:
            return False
        zeros, padded = call.operation, call.outputs[0]
        return (
            not stays(zeros)
            and zeros.data_format == pooling.data_format
            and all(
                max(pair) < window
                for pair, window in zip(zeros.padding, pooling.pool_size, strict=True)
            )
            and len(graph.readers(padded)) == 1
            and not graph.is_output(padded)
        )
