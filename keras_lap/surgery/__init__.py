"""Model surgery: trained networks converted to networks with LAP layers."""

from keras_lap.surgery.conversion_plan import ConversionPlan
from keras_lap.surgery.convert import convert
from keras_lap.surgery.finalize import finalize
from keras_lap.surgery.freeze_all_but_lap import freeze_all_but_lap
from keras_lap.surgery.plan import plan
from keras_lap.surgery.rewrite import Lap, LeftAloneError, Own, Rewrite, Zeros
from keras_lap.surgery.rules import Rule, register_rule, sampling_lap
from keras_lap.surgery.spatial_sizes import spatial_sizes
from keras_lap.surgery.to_standard import to_standard

__all__ = [
    "ConversionPlan",
    "Lap",
    "LeftAloneError",
    "Own",
    "Rewrite",
    "Rule",
    "Zeros",
    "convert",
    "finalize",
    "freeze_all_but_lap",
    "plan",
    "register_rule",
    "sampling_lap",
    "spatial_sizes",
    "to_standard",
]
