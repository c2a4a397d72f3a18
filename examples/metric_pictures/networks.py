"""Two networks of one kind: one that knows the disc, and one that knows nothing."""

import keras
import numpy as np
from keras import layers

from metric_pictures import scene

_UNITS = 64


def random(seed=0):
    """A network with random weights: `(N, 64, 64, 3)` to two probabilities."""
    seeds = keras.random.SeedGenerator(seed)
    dense = [
        {"kernel_initializer": keras.initializers.HeNormal(seeds)} for _ in range(2)
    ]
    return keras.Sequential(
        [
            keras.Input((scene.SIZE, scene.SIZE, 3)),
            layers.Flatten(),
            layers.Dense(_UNITS, "relu", name="parts", **dense[0]),
            layers.Dense(2, "softmax", name="classes", **dense[1]),
        ]
    )


def knowing(threshold=0.45):
    """The same with weights that make class 1 of the brightness of the disc alone.

    Args:
        threshold: How bright the disc has to be. Each unit takes the mean of some of
            its pixels, less this.
    """
    model = random()
    disc = np.repeat(scene.MASK.ravel(), 3)
    of_unit = np.random.default_rng(0).integers(_UNITS, size=disc.size)
    parts = (of_unit[:, None] == np.arange(_UNITS)) & disc[:, None]
    model.get_layer("parts").set_weights(
        [parts / parts.sum(axis=0), np.full(_UNITS, -threshold)]
    )
    model.get_layer("classes").set_weights(
        [np.repeat([[0, 20 / _UNITS]], _UNITS, axis=0), np.zeros(2)]
    )
    return model
