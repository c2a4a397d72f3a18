"""Conversion leaves the given model alone on every Keras backend."""

import keras
import numpy as np
import pytest
from step_options import CHEAP

import keras_lap


@pytest.mark.parametrize("trained", ["converted", "original", "finalized"])
@pytest.mark.one_in(3)
def test_training_one_model_leaves_the_other(rng, trained):
    original = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.MaxPooling2D(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    original.compile("adam", "sparse_categorical_crossentropy", **CHEAP)
    images, labels = rng.random((4, 8, 8, 3)).astype("float32"), np.zeros(4)
    original.fit(images, labels, verbose=0)
    models = {
        "original": original,
        "converted": keras_lap.convert(original, compile="copy"),
    }
    for layer in keras_lap.lap_layers(models["converted"]):
        layer.gate.assign(1)
    models["finalized"] = keras_lap.finalize(models["converted"])
    models["finalized"].compile("adam", "sparse_categorical_crossentropy", **CHEAP)
    before = {name: model.predict(images, verbose=0) for name, model in models.items()}
    models[trained].fit(images, labels, verbose=0)
    for name, model in models.items():
        after = model.predict(images, verbose=0)
        if name == trained:
            assert np.abs(after - before[name]).max() > 0
        else:
            np.testing.assert_array_equal(after, before[name])
            # What it was compiled with is there as well.
            model.fit(images, labels, verbose=0)
