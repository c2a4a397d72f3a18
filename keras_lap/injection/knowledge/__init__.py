"""What is known about a batch, and what that says about one LAP layer."""

from keras_lap.injection.knowledge.image_knowledge import ImageKnowledge
from keras_lap.injection.knowledge.kinds import KINDS
from keras_lap.injection.knowledge.knowledge import (
    Knowledge,
    holds_knowledge,
    split_targets,
)
from keras_lap.injection.knowledge.layer_knowledge import FITTED, LayerKnowledge
from keras_lap.injection.knowledge.present_concepts import (
    NamesNoConcepts,
    default_class_concepts,
    present_concepts,
)

__all__ = [
    "FITTED",
    "KINDS",
    "ImageKnowledge",
    "Knowledge",
    "LayerKnowledge",
    "NamesNoConcepts",
    "default_class_concepts",
    "holds_knowledge",
    "present_concepts",
    "split_targets",
]
