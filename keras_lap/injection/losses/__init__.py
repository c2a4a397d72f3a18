"""Losses on concept logits, each a way to say what one knows."""

from keras_lap.injection.losses.knowledge_loss import KnowledgeLoss
from keras_lap.injection.losses.mask_supervision import MaskSupervision
from keras_lap.injection.losses.presence import Presence

__all__ = ["KnowledgeLoss", "MaskSupervision", "Presence"]
