"""Methods that say which pixels speak for a class, all with the same interface."""

from keras_lap.evaluation.explainers.as_xplique import as_xplique
from keras_lap.evaluation.explainers.center_gaussian import CenterGaussian
from keras_lap.evaluation.explainers.edge import Edge
from keras_lap.evaluation.explainers.explainer import Explainer, as_explainer
from keras_lap.evaluation.explainers.grad_cam import GradCAM
from keras_lap.evaluation.explainers.grad_cam_plus_plus import GradCAMPlusPlus
from keras_lap.evaluation.explainers.gradient_input import GradientInput
from keras_lap.evaluation.explainers.integrated_gradients import IntegratedGradients
from keras_lap.evaluation.explainers.lap import LAP
from keras_lap.evaluation.explainers.layer_cam import LayerCAM
from keras_lap.evaluation.explainers.occlusion import Occlusion
from keras_lap.evaluation.explainers.random import Random
from keras_lap.evaluation.explainers.rise import RISE
from keras_lap.evaluation.explainers.smooth_grad import SmoothGrad
from keras_lap.evaluation.explainers.vanilla_gradients import VanillaGradients
from keras_lap.evaluation.explainers.xplique import Xplique

__all__ = [
    "LAP",
    "RISE",
    "CenterGaussian",
    "Edge",
    "Explainer",
    "GradCAM",
    "GradCAMPlusPlus",
    "GradientInput",
    "IntegratedGradients",
    "LayerCAM",
    "Occlusion",
    "Random",
    "SmoothGrad",
    "VanillaGradients",
    "Xplique",
    "as_explainer",
    "as_xplique",
]
