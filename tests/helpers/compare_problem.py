"""Images, labels and small networks that explainers are compared on."""

import keras
import numpy as np
import pytest
from backend_limits import ON_TENSORFLOW

import keras_lap
from keras_lap.evaluation import (
    compare,
)
from keras_lap.evaluation.comparison.metrics import METRICS
from keras_lap.evaluation.explainers import (
    LAP,
    Edge,
)

SAME, TWO = "same model", "LAP model against original model"
# Memory is counted by TensorFlow alone.
COSTS = ["seconds per image", "peak MiB per image"][: 1 + ON_TENSORFLOW]
COUNT, CLASSES = 6, 3
IMAGES = np.random.default_rng(0).random((COUNT, 12, 12, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 0, 1, 2])
MASKS = np.zeros((COUNT, 12, 12), bool)
MASKS[:, 3:8, 2:6] = True
BOXES = np.broadcast_to(np.array([3, 2, 8, 6]) / 12, (COUNT, 1, 4))
DATA = {"image": IMAGES, "label": LABELS, "mask": MASKS, "boxes": BOXES}
CHEAP = {name for name, metric in METRICS.items() if metric.is_cheap}


def small_network(data_format="channels_last"):
    shape = (12, 12, 3) if data_format == "channels_last" else (3, 12, 12)
    options = {"data_format": data_format}
    return keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Conv2D(4, 3, activation="relu", name="features", **options),
            keras.layers.GlobalAveragePooling2D(name="head", **options),
            keras.layers.Dense(CLASSES, activation="softmax", name="classes"),
        ]
    )


@pytest.fixture(scope="module")
def original():
    keras.utils.set_random_seed(3)
    return small_network()


@pytest.fixture(scope="module")
def model(original):
    """Not the same function as the original: the gate is open."""
    model = keras_lap.convert(original, concepts=CLASSES)
    for layer in keras_lap.lap_layers(model):
        layer.gate.assign(1.0)
    model.get_layer("classes").bias.assign([0.0, 1.0, 0.5])
    return model


@pytest.fixture(scope="module")
def both(model, original):
    return compare(
        model, DATA, [LAP(), Edge()], ["pointing_game", "insertion"], original
    )


def row_of(comparison, **wanted):
    (row,) = (row for row in comparison.rows if wanted.items() <= row.items())
    return row
