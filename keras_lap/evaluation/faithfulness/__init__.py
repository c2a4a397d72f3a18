"""Metrics of whether the model uses what maps show."""

from keras_lap.evaluation.faithfulness.average_drop import average_drop
from keras_lap.evaluation.faithfulness.average_gain import average_gain
from keras_lap.evaluation.faithfulness.deletion import deletion
from keras_lap.evaluation.faithfulness.increase_in_confidence import (
    increase_in_confidence,
)
from keras_lap.evaluation.faithfulness.insertion import insertion
from keras_lap.evaluation.faithfulness.mu_fidelity import mu_fidelity
from keras_lap.evaluation.faithfulness.road import road

__all__ = [
    "average_drop",
    "average_gain",
    "deletion",
    "increase_in_confidence",
    "insertion",
    "mu_fidelity",
    "road",
]
