"""Explainers beside each other, on the same images."""

from keras_lap.evaluation.comparison.compare import compare
from keras_lap.evaluation.comparison.comparison import Comparison

__all__ = ["Comparison", "compare"]
