"""Local Attention Pooling for Keras."""

from keras_lap import callbacks, losses
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
    "la_pool",
    "lap_layers",
    "losses",
]
