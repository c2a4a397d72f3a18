"""Explanations: maps read from the forward pass, and drawings of them."""

from keras_lap.explanation.draw_maps import draw_maps
from keras_lap.explanation.explain import explain

__all__ = ["draw_maps", "explain"]
