"""How good maps are: metrics, explainers to compare with, and the comparison."""

from keras_lap.evaluation import explainers
from keras_lap.evaluation.comparison import Comparison, compare
from keras_lap.evaluation.conciseness import complexity, sparsity
from keras_lap.evaluation.curve import Curve
from keras_lap.evaluation.faithfulness import (
    average_drop,
    average_gain,
    deletion,
    increase_in_confidence,
    insertion,
    mu_fidelity,
    road,
)
from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.predictor import Predictor
from keras_lap.evaluation.sanity import (
    parameter_randomisation,
    random_label_control,
    stability,
)
from keras_lap.evaluation.validity import (
    box_localisation,
    energy_in_mask,
    iou_at_equal_area,
    iou_over_thresholds,
    pointing_game,
)

__all__ = [
    "Comparison",
    "Curve",
    "MetricResult",
    "Predictor",
    "average_drop",
    "average_gain",
    "box_localisation",
    "compare",
    "complexity",
    "deletion",
    "energy_in_mask",
    "explainers",
    "increase_in_confidence",
    "insertion",
    "iou_at_equal_area",
    "iou_over_thresholds",
    "mu_fidelity",
    "parameter_randomisation",
    "pointing_game",
    "random_label_control",
    "road",
    "sparsity",
    "stability",
]
