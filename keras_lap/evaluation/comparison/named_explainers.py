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
