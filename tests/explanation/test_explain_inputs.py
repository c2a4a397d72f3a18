"""Models of an image and something else are explained."""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from keras_lap import GlobalLAPooling2D, LAPooling2D, convert, explain
from keras_lap.callbacks import ExplanationMonitor

COUNT = 5


@pytest.fixture(autouse=True)
def few_batches(monkeypatch):
    """One batch for each sample is so many that a pass is compiled for them."""
    # The function hides its module.
    module = importlib.import_module("keras_lap.explanation.batches_with_passes")
    monkeypatch.setattr(module, "_COMPILED_FROM", COUNT)


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    # In another order than by name.
    return {"scan": rng.random((COUNT, 8, 8, 3), "float32"), "age": rng.random(COUNT)}


@pytest.fixture(scope="module")
def model():
    """Where to look depends on the age as well."""
    scan, age = keras.Input((8, 8, 3), name="scan"), keras.Input((), name="age")
    aged = layers.Multiply()([scan, ops.reshape(age, (-1, 1, 1, 1))])
    x = LAPooling2D(2, concepts=2)(layers.Conv2D(4, 3, padding="same")(aged))
    x = layers.Concatenate()([GlobalLAPooling2D(concepts=2)(x), age[:, None]])
    return keras.Model([scan, age], layers.Dense(2, activation="softmax")(x))


@pytest.fixture(scope="module")
def expected(model, inputs):
    """One explanation for each age, of a model that has it as a constant."""
    found = []
    for index in range(COUNT):
        scan = keras.Input((8, 8, 3))
        age = ops.zeros_like(scan[:, 0, 0, 0]) + inputs["age"][index]
        alone = keras.Model(scan, model([scan, age]))
        found.append(explain(alone, inputs["scan"][index][None]))
    return found


def _in_batches(inputs):
    targets = {"label": np.arange(COUNT) % 2}
    return tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(1)


@pytest.mark.parametrize(
    "form",
    [
        lambda inputs: inputs,
        lambda inputs: list(inputs.values()),
        lambda inputs: tuple(map(tf.constant, inputs.values())),
        lambda inputs: tf.data.Dataset.from_tensor_slices((inputs, np.zeros(COUNT))),
        lambda inputs: tf.data.Dataset.from_tensors((tuple(inputs.values()), None)),
        # Compiled.
        _in_batches,
    ],
    ids=["dict", "list", "tensors", "samples", "one batch", "batches"],
)
def test_inputs_of_any_form(model, inputs, expected, form):
    found = explain(model, form(inputs), batch_size=2)
    np.testing.assert_array_equal(found.images, inputs["scan"])
    for name in ("maps", "scores", "predictions"):
        single = np.concatenate([getattr(each, name) for each in expected])
        np.testing.assert_allclose(getattr(found, name), single, rtol=1e-5)


def test_model_without_a_graph(model, inputs):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.graph = model

        def call(self, inputs):
            return self.graph([inputs["scan"], inputs["age"]])

    subclassed = Subclassed()
    subclassed(inputs)
    np.testing.assert_array_equal(
        explain(subclassed, inputs).predictions, explain(model, inputs).predictions
    )


def test_monitor_draws_them(model, inputs, tmp_path):
    model.compile("sgd", "sparse_categorical_crossentropy")
    monitor = ExplanationMonitor(inputs, tmp_path, max_images=2, tensorboard=None)
    batches = _in_batches(inputs).map(lambda x, y: (x, y["label"])).take(1)
    model.fit(batches, verbose=0, shuffle=False, callbacks=[monitor])
    assert len(list(tmp_path.iterdir())) == 2


def test_inputs_that_do_not_fit(model, inputs):
    with pytest.raises(ValueError, match=r"all 2 inputs.*Received: 1"):
        explain(model, inputs["scan"])
    with pytest.raises(ValueError, match=r"samples each.*\(5, 8, 8, 3\), \(2,\)"):
        explain(model, {**inputs, "age": inputs["age"][:2]})
    with pytest.raises(ValueError, match=r"all 2 inputs.*Received: 1"):
        explain(model, ["scan.png"])
    with pytest.raises(ValueError, match=r"all 2 inputs.*Received: 3"):
        explain(model, {**inputs, "label": inputs["age"]})
    with pytest.raises(ValueError, match=r"one input of images.*\[\(5,\), \(5,\)\]"):
        explain(model, {"scan": inputs["age"], "age": inputs["age"]})


def test_masked_words_beside_an_image():
    """Keras hands a nested model the mask of what it reads, beside that."""
    scan, words = keras.Input((8, 8, 3)), keras.Input((4,))
    known = layers.Embedding(7, 3, mask_zero=True)(words)
    total = keras.Sequential([keras.Input((4, 3)), layers.Flatten()])(known)
    pooled = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(scan))
    x = layers.Concatenate()([pooled, total])
    model = convert(keras.Model([scan, words], layers.Dense(2, "softmax")(x)))
    images = np.random.default_rng(0).random((2, 8, 8, 3))
    inputs = [images, np.array([[1, 2, 0, 0], [3, 4, 5, 0]])]
    explanation = explain(model, inputs)
    assert explanation.maps.shape == (2, 8, 8, 2)
    expected = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(explanation.predictions, expected, rtol=1e-6)
