"""Local attention pooling as a function."""

from keras_lap.ops.la_pool import la_pool

__all__ = ["la_pool"]
