"""Local attention pooling as a function, and what runs behind it."""

from keras_lap.ops.dispatch import which
from keras_lap.ops.la_pool import la_pool
from keras_lap.ops.load_ops import load_ops

__all__ = ["la_pool", "load_ops", "which"]
