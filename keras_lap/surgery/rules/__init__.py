"""Where LAP layers go: one rule per kind of layer.

A rule knows one kind of layer. It says what takes the place of such a layer, or why it
stays.
"""

from keras_lap.surgery.rules.convolution_rule import ConvolutionRule
from keras_lap.surgery.rules.global_pooling_rule import GlobalPoolingRule
from keras_lap.surgery.rules.pointwise_convolution_rule import PointwiseConvolutionRule
from keras_lap.surgery.rules.pooling_rule import PoolingRule
from keras_lap.surgery.rules.register_rule import (
    DEFAULT_WHERE,
    WHERE,
    register_rule,
    rule_for,
)
from keras_lap.surgery.rules.rule import Rule
from keras_lap.surgery.rules.sampling import sampling_lap
from keras_lap.surgery.rules.subclass_reason import subclass_reason

for rule in (
    PoolingRule(),
    GlobalPoolingRule(),
    PointwiseConvolutionRule(),
    ConvolutionRule(),
):
    register_rule(rule)

__all__ = [
    "DEFAULT_WHERE",
    "WHERE",
    "Rule",
    "register_rule",
    "rule_for",
    "sampling_lap",
    "subclass_reason",
]
