"""Images and small networks that explainers are asked about."""

import copy

import keras
import numpy as np
import pytest

from keras_lap.evaluation.explainers import (
    GradCAM,
    IntegratedGradients,
    Occlusion,
    SmoothGrad,
    VanillaGradients,
)

CLASSES = 4
SHAPE = 12, 8, 3
IMAGES = np.random.default_rng(0).random((5, *SHAPE)).astype("float32")
LABELS = np.array([2, 0, 3, 2, 1])
FROM_SCORES = [
    VanillaGradients(),
    SmoothGrad(samples=4),
    IntegratedGradients(steps=4),
    GradCAM(),
]
OF_MODELS = [*FROM_SCORES, Occlusion(patch_size=4)]
WITH_NAMES = {"argvalues": OF_MODELS, "ids": lambda explainer: explainer.name}


def linear_model(activation=None, scale=1.0):
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, activation),
        ]
    )
    kernel, bias = model.layers[-1].weights
    kernel.assign(scale * np.random.default_rng(1).normal(size=kernel.shape))
    bias.assign(np.arange(CLASSES))
    return model


def weights_of(model, classes):
    kernel = model.layers[-1].kernel.numpy()
    return kernel.T[classes].reshape(-1, *SHAPE)


def small_network(data_format="channels_last", channels=3, **head):
    height, width, _ = SHAPE
    last = data_format == "channels_last"
    options = {"data_format": data_format}
    return keras.Sequential(
        [
            keras.Input((height, width, channels) if last else (channels, 12, 8)),
            keras.layers.Conv2D(5, 3, activation="tanh", name="features", **options),
            keras.layers.GlobalAveragePooling2D(**options),
            keras.layers.Dense(CLASSES, activation="softmax", **head),
        ]
    )


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(7)
    return small_network()


def changed(explainer, **attributes):
    """A copy of an explainer with other attributes."""
    explainer = copy.copy(explainer)
    vars(explainer).update(attributes)
    return explainer


def assert_maps_close(actual, expected, tolerance=1e-5):
    assert actual.dtype == np.float32
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(
        actual, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max()
    )
