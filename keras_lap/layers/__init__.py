"""Keras layers for local attention pooling."""

from keras_lap.layers.base_la_pooling import BaseLAPooling
from keras_lap.layers.global_la_pooling2d import GlobalLAPooling2D
from keras_lap.layers.la_pooling2d import LAPooling2D
from keras_lap.layers.score_tape import ScoreRecord, score_tape

LAPooling = LAPooling2D

__all__ = [
    "BaseLAPooling",
    "GlobalLAPooling2D",
    "LAPooling",
    "LAPooling2D",
    "ScoreRecord",
    "score_tape",
]
