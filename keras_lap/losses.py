"""Knowledge losses, under their public name."""

from keras_lap.injection.losses import (
    AreaPrior,
    BoxSupervision,
    ConceptLabels,
    Exclusivity,
    FunctionLoss,
    KnowledgeLoss,
    MaskSupervision,
    Presence,
)

__all__ = [
    "AreaPrior",
    "BoxSupervision",
    "ConceptLabels",
    "Exclusivity",
    "FunctionLoss",
    "KnowledgeLoss",
    "MaskSupervision",
    "Presence",
]
