"""Keras layers for local attention pooling."""

from keras_lap.layers.base_la_pooling import BaseLAPooling
from keras_lap.layers.global_la_pooling1d import GlobalLAPooling1D
from keras_lap.layers.global_la_pooling2d import GlobalLAPooling2D
from keras_lap.layers.global_la_pooling3d import GlobalLAPooling3D
from keras_lap.layers.la_pooling1d import LAPooling1D
from keras_lap.layers.la_pooling2d import LAPooling2D
from keras_lap.layers.la_pooling3d import LAPooling3D
from keras_lap.layers.score_tape import ScoreRecord, score_tape

LAPooling = LAPooling2D

__all__ = [
    "BaseLAPooling",
    "GlobalLAPooling1D",
    "GlobalLAPooling2D",
    "GlobalLAPooling3D",
    "LAPooling",
    "LAPooling1D",
    "LAPooling2D",
    "LAPooling3D",
    "ScoreRecord",
    "score_tape",
]
