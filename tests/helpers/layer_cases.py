"""The six LAP layers, in windows that overlap and do not fit, and their options."""

import dataclasses
import math

import keras
import numpy as np
import pytest
from keras import layers

import keras_lap

CHANNELS = 4
BATCH = 3
CONFIGURATIONS = {
    "default": {},
    "noisy_or": {"concepts": 3, "scores": "noisy_or", "initial_score": 0.3},
    "ramp": {"score_activation": "ramp", "concepts": 2, "alpha": 0.5},
    "hidden": {"concepts": 2, "hidden": 5, "weighting": "softmax", "score_gain": 3.0},
    "ungated": {"gating": None},
    "features": {"scores": "features", "gating": None},
    "max base": {"base": "max"},
    "avg base": {"base": "avg", "concepts": 2, "scores": "noisy_or"},
    "first base": {"base": "first", "gating": None},
    "channels_first": {"data_format": "channels_first", "base": "avg"},
}


@dataclasses.dataclass(frozen=True)
class LayerCase:
    """A LAP layer and the size of the maps that it is tested on.

    Attributes:
        layer: The class.
        bases: Classes of Keras that its base branches stand for, by name.
        sizes: Spatial sizes of the maps.
        windows: Arguments that say where the windows lie.
    """

    layer: type
    bases: dict
    sizes: tuple
    windows: dict = dataclasses.field(default_factory=dict)

    @property
    def rank(self):
        """Number of spatial axes."""
        return len(self.sizes)

    @property
    def pixels(self):
        """Number of pixels of a map, more than a window holds."""
        return math.prod(self.sizes)

    def make(self, **options):
        """A layer, not yet built."""
        return self.layer(**self.windows, **options)

    def base(self, name, **options):
        """The layer that the base branch of this name stands for."""
        return self.bases[name](**self.windows, **options)

    def features(self, rng):
        """A batch of maps, channels last."""
        return rng.normal(size=(BATCH, *self.sizes, CHANNELS)).astype("float32")

    def built(self, rng, **options):
        """A layer with weights that are not those of the start, and its input."""
        layer = self.make(**options)
        x = in_layout_of(layer, self.features(rng))
        layer.build((None, *x.shape[1:]))
        randomize(layer, rng)
        return layer, x

    def classifier(self, layer):
        """A trainable model with the layer, maps in its layout in, two numbers out."""
        shape = in_layout_of(layer, np.empty((0, *self.sizes, CHANNELS))).shape[1:]
        return keras.Sequential(
            [keras.Input(shape), layer, layers.Flatten(), layers.Dense(2)]
        )


def skip_average_pooling_on_torch(padding):
    """Skips a test that takes Keras' average pooling for right where it is not."""
    if keras.config.backend() == "torch" and padding == "same":
        pytest.skip("on torch Keras averages over repeated pixels in same padding")


def in_layout_of(layer, x):
    """A channels-last batch in the layout that the layer expects."""
    return np.moveaxis(x, -1, 1) if layer.data_format == "channels_first" else x


def randomize(layer, rng):
    """Gives every weight a value of its own, positive where it must be."""
    for weight in layer.weights:
        value = rng.uniform(0.2, 0.8, weight.shape)
        if weight.name in ("kernel", "bias"):
            value = rng.normal(size=weight.shape)
        weight.assign(value)


def _poolings(rank, prefix=""):
    kinds = {"max": "Max", "avg": "Average"}
    return {
        name: getattr(layers, f"{prefix}{kind}Pooling{rank}D")
        for name, kind in kinds.items()
    }


LAYER_CASES = {
    case.layer.__name__: case
    for case in (
        LayerCase(
            keras_lap.LAPooling1D,
            _poolings(1),
            (9,),
            {"pool_size": 4, "strides": 2, "padding": "same"},
        ),
        LayerCase(
            keras_lap.LAPooling2D,
            _poolings(2),
            (7, 6),
            {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"},
        ),
        LayerCase(
            keras_lap.LAPooling3D,
            _poolings(3),
            (4, 3, 5),
            {"pool_size": (3, 1, 2), "strides": (2, 1, 3), "padding": "same"},
        ),
        LayerCase(keras_lap.GlobalLAPooling1D, _poolings(1, "Global"), (9,)),
        LayerCase(keras_lap.GlobalLAPooling2D, _poolings(2, "Global"), (7, 6)),
        LayerCase(keras_lap.GlobalLAPooling3D, _poolings(3, "Global"), (4, 3, 5)),
    )
}
