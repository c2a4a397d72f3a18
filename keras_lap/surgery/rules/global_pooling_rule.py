"""The head's global pooling."""

from typing import ClassVar

from keras import layers

from keras_lap.layers import GlobalLAPooling2D
from keras_lap.surgery.rewrite import Lap, LeftAloneError, Rewrite
from keras_lap.surgery.rules.feeds_map import feeds_map
from keras_lap.surgery.rules.place_config import place_config
from keras_lap.surgery.rules.rule import Rule


class GlobalPoolingRule(Rule):
    """The global pooling on the way to the classifier becomes global LAP.

    An adaptive pooling to a single pixel is a global one.

    A global pooling whose result goes back into a feature map, such as a
    squeeze-excite gate, stays: it describes the image to every pixel and passes no
    evidence on to the classifier.
    """

    bases: ClassVar = {
        layers.GlobalMaxPooling2D: "max",
        layers.GlobalAveragePooling2D: "avg",
        layers.AdaptiveMaxPooling2D: "max",
        layers.AdaptiveAveragePooling2D: "avg",
    }

    def matches(self, layer):
        return type(layer) in self.bases

    def rewrite(self, layer, graph, stays):
        if getattr(layer, "output_size", (1, 1)) != (1, 1):
            raise LeftAloneError("its windows may differ in size")
        if any(feeds_map(call, graph) for call in graph.calls_of(layer)):
            raise LeftAloneError(
                "it gates a feature map, as in squeeze-excite, and does not lead on to "
                "the classifier"
            )
        config = {
            **place_config(layer, layer.name, self.bases[type(layer)]),
            "activity_regularizer": layer.activity_regularizer,
            "keepdims": getattr(layer, "keepdims", True),
        }
        return Rewrite((Lap(GlobalLAPooling2D, layer, config),))
