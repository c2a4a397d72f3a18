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
    Necessity,
    PerturbationLoss,
    Presence,
    RightReasons,
    Sufficiency,
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
    "Necessity",
    "PerturbationLoss",
    "Presence",
    "RightReasons",
    "Sufficiency",
    "SupervisedLayer",
]
