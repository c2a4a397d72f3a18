"""Knowledge losses, under their public name."""

from keras_lap.injection.losses import KnowledgeLoss, MaskSupervision, Presence

__all__ = ["KnowledgeLoss", "MaskSupervision", "Presence"]
