"""Local Attention Pooling for Keras."""

from keras_lap import callbacks, evaluation, losses
from keras_lap.explanation import draw_maps, explain
from keras_lap.layers import GlobalLAPooling2D, LAPooling, LAPooling2D
from keras_lap.ops import la_pool
from keras_lap.surgery import convert, lap_layers

__version__ = "0.1.0"

__all__ = [
    "GlobalLAPooling2D",
    "LAPooling",
    "LAPooling2D",
    "callbacks",
    "convert",
    "draw_maps",
    "evaluation",
    "explain",
    "la_pool",
    "lap_layers",
    "losses",
]
