"""Local Attention Pooling for Keras."""

import importlib

from keras_lap import callbacks, evaluation, losses
from keras_lap.explanation import draw_maps, explain
from keras_lap.layers import (
    GlobalLAPooling1D,
    GlobalLAPooling2D,
    GlobalLAPooling3D,
    LAPooling,
    LAPooling1D,
    LAPooling2D,
    LAPooling3D,
)
from keras_lap.ops import la_pool, load_ops
from keras_lap.surgery import convert, lap_layers

__version__ = "0.1.0"


def __getattr__(name):
    if name == "datasets":
        # Not before it is asked for: it needs TensorFlow Datasets.
        return importlib.import_module("keras_lap.datasets")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "GlobalLAPooling1D",
    "GlobalLAPooling2D",
    "GlobalLAPooling3D",
    "LAPooling",
    "LAPooling1D",
    "LAPooling2D",
    "LAPooling3D",
    "callbacks",
    "convert",
    "draw_maps",
    "evaluation",
    "explain",
    "la_pool",
    "lap_layers",
    "load_ops",
    "losses",
]
