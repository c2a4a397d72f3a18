from keras_lap.evaluation.energy_in_mask import energy_in_mask
from keras_lap.evaluation.grad_cam import grad_cam
from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.pointing_game import pointing_game

__all__ = ["MetricResult", "energy_in_mask", "grad_cam", "pointing_game"]
