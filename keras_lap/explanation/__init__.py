"""Explanations: maps read from the forward pass, and drawings of them."""

from keras_lap.explanation.combine import COMBINATIONS
from keras_lap.explanation.concept_maps import concept_maps
from keras_lap.explanation.displayable import displayable
from keras_lap.explanation.draw_maps import draw_maps
from keras_lap.explanation.evidence import ConceptEvidence, Evidence
from keras_lap.explanation.explain import explain
from keras_lap.explanation.explanation import Explanation

__all__ = [
    "COMBINATIONS",
    "ConceptEvidence",
    "Evidence",
    "Explanation",
    "concept_maps",
    "displayable",
    "draw_maps",
    "explain",
]
