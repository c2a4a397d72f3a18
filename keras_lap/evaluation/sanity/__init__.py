"""Whether maps depend on what the model learned, and hold still when they should."""

from keras_lap.evaluation.sanity.parameter_randomisation import parameter_randomisation
from keras_lap.evaluation.sanity.random_label_control import random_label_control
from keras_lap.evaluation.sanity.stability import stability

__all__ = ["parameter_randomisation", "random_label_control", "stability"]
