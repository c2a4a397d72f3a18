"""Metrics of how much there is in a map, whatever it lies on."""

from keras_lap.evaluation.conciseness.complexity import complexity
from keras_lap.evaluation.conciseness.sparsity import sparsity

__all__ = ["complexity", "sparsity"]
