"""Losses on concept logits, each a way to say what one knows."""

from keras_lap.injection.losses.area_prior import AreaPrior
from keras_lap.injection.losses.box_supervision import BoxSupervision
from keras_lap.injection.losses.concept_labels import ConceptLabels
from keras_lap.injection.losses.exclusivity import Exclusivity
from keras_lap.injection.losses.function_loss import FunctionLoss
from keras_lap.injection.losses.knowledge_loss import KnowledgeLoss
from keras_lap.injection.losses.mask_supervision import MaskSupervision
from keras_lap.injection.losses.presence import Presence

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
