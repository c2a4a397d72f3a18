"""What holds of conversion on every Keras backend."""

import keras
import numpy as np
import pytest
from backend_limits import ON_TORCH
from converted_models import assert_same_function
from networks import lap_names
from step_options import CHEAP
from tolerances import assert_close, tolerance

import keras_lap

pytestmark = pytest.mark.jax_too


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


@pytest.mark.slow_on_jax
@pytest.mark.parametrize("size, is_even", [(5, True), (4, False)])
def test_averages_at_the_border_stay_what_they_are(rng, size, is_even):
    x = inputs = keras.Input((size, 5, 2))
    x = keras.layers.AveragePooling2D(3, strides=2, padding="same", name="pool")(x)
    x = keras.layers.GlobalMaxPooling2D(name="head")(x)
    model = keras.Model(inputs, x)
    converted = keras_lap.convert(model)
    kept = is_even or not ON_TORCH
    assert lap_names(converted) == [*(["pool"] if kept else []), "head"]
    assert_same_function(converted, model, rng)


def test_lap_averages_real_pixels_in_standard_layers_too(rng):
    inputs = keras.Input((4, 5, 2))
    pool = keras_lap.LAPooling2D(3, 2, "same", base="avg", name="pool")
    model = keras.Model(inputs, pool(inputs))
    for gate in (0, 0.5):
        pool.gate.assign(gate)
        assert_same_function(keras_lap.to_standard(model), model, rng)


@pytest.mark.parametrize("base", ["max", "avg"])
def test_half_open_gates_come_back_from_a_file(base, tmp_path, rng):
    layer = keras_lap.LAPooling2D((2, 1), base=base)
    model = keras.Sequential([keras.Input((6, 6, 3)), layer])
    layer.gate.assign(0.4)
    keras_lap.to_standard(model).save(tmp_path / "standard.keras")
    standard = keras.models.load_model(tmp_path / "standard.keras")
    x = rng.normal(size=(2, 6, 6, 3)).astype("float32")
    assert_close(standard(x), model(x), **tolerance("float32", 2, np.abs(x).max()))
