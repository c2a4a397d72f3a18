"""Metrics of whether maps lie on the right region."""

from keras_lap.evaluation.validity.box_localisation import box_localisation
from keras_lap.evaluation.validity.energy_in_mask import energy_in_mask
from keras_lap.evaluation.validity.iou_at_equal_area import iou_at_equal_area
from keras_lap.evaluation.validity.iou_over_thresholds import iou_over_thresholds
from keras_lap.evaluation.validity.pointing_game import pointing_game

__all__ = [
    "box_localisation",
    "energy_in_mask",
    "iou_at_equal_area",
    "iou_over_thresholds",
    "pointing_game",
]
