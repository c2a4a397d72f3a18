"""Explainers that need no arguments, by their names."""

from keras_lap.evaluation.explainers import (
    LAP,
    RISE,
    CenterGaussian,
    Edge,
    GradCAM,
    GradCAMPlusPlus,
    GradientInput,
    IntegratedGradients,
    LayerCAM,
    Occlusion,
    Random,
    SmoothGrad,
    VanillaGradients,
)
from keras_lap.graph.lap_layers import lap_layers


def _by_name(*explainers):
    return {explainer.__name__: explainer for explainer in explainers}


DEFAULT_EXPLAINERS = _by_name(
    LAP,
    GradCAM,
    IntegratedGradients,
    SmoothGrad,
    VanillaGradients,
    Occlusion,
    Random,
    CenterGaussian,
    Edge,
)
NAMED_EXPLAINERS = DEFAULT_EXPLAINERS | _by_name(
    GradCAMPlusPlus, LayerCAM, GradientInput, RISE
)


def default_explainers(model):
    """Names of those that suit a model: LAP only if it has LAP layers."""
    laps = lap_layers(model)
    return [name for name in DEFAULT_EXPLAINERS if laps or name != LAP.__name__]
