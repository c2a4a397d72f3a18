"""Knowledge losses, under their public name."""

from keras_lap.injection.losses import (
    AreaPrior,
    BoxSupervision,
    ConceptLabels,
    Consistency,
    CrossLayerLoss,
    Exclusivity,
    FunctionLoss,
    InputGradientLoss,
    KnowledgeLoss,
    MaskSupervision,
    Presence,
    RightReasons,
    SupervisedLayer,
)

__all__ = [
    "AreaPrior",
    "BoxSupervision",
    "ConceptLabels",
    "Consistency",
    "CrossLayerLoss",
    "Exclusivity",
    "FunctionLoss",
    "InputGradientLoss",
    "KnowledgeLoss",
    "MaskSupervision",
    "Presence",
    "RightReasons",
    "SupervisedLayer",
]
