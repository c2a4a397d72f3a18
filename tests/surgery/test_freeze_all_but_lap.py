"""`freeze_all_but_lap` leaves LAP layers trainable, at any depth, and them alone."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_lap

pytestmark = pytest.mark.torch_suffices


class Block(layers.Layer):
    """A layer with a weight of its own and layers inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(3, 1)
        self.pool = keras_lap.LAPooling2D(2, name="in_block")

    def build(self, input_shape):
        self.scale = self.add_weight(name="scale", initializer="ones")
        self.conv.build(input_shape)
        self.pool.build((*input_shape[:-1], 3))

    def call(self, x):
        return self.pool(self.conv(x)) * self.scale


def nested_model():
    inner = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.BatchNormalization(), layers.MaxPooling2D()]
    )
    x = inputs = keras.Input((16, 16, 3))
    x = Block()(inner(x))
    x = layers.GlobalAveragePooling2D(name="head")(x)
    model = keras.Model(inputs, layers.Dense(2, name="dense")(x))
    return keras_lap.convert(model, hidden=4)


@pytest.mark.parametrize("frozen", [False, True])
def test_only_lap_layers_learn(frozen, rng):
    model = nested_model()
    model.trainable = not frozen
    keras_lap.freeze_all_but_lap(model)
    laps = keras_lap.lap_layers(model)
    assert len(laps) == 3
    expected = {id(weight) for layer in laps for weight in layer.trainable_weights}
    assert {id(weight) for weight in model.trainable_weights} == expected

    for layer in laps:
        if layer.gate is not None:
            layer.gate.assign(0.5)
    before = [weight.numpy() for weight in model.weights]
    model.compile("sgd", "mse")
    x, y = rng.normal(size=(8, 16, 16, 3)), rng.normal(size=(8, 2))
    model.fit(x, y, epochs=2, verbose=0)
    part_of_lap = {id(weight) for layer in laps for weight in layer.weights}
    learned = 0
    for weight, old in zip(model.weights, before, strict=True):
        same = np.array_equal(weight.numpy(), old)
        assert same or id(weight) in part_of_lap
        learned += not same
    assert learned > 5


def flags(model):
    return [part.trainable for part in (*model._flatten_layers(), *model.weights)]


def freeze_layer(model):
    model.get_layer("dense").trainable = False


def freeze_weight(model):
    model.get_layer("dense").kernel.trainable = False


def freeze_all_but_a_weight(model):
    for layer in model.layers:
        layer.trainable = False
    model.get_layer("dense").kernel.trainable = True


def freeze_lap(model):
    model.get_layer("head").trainable = False
    keras_lap.lap_layers(model)[0].raw_alpha.trainable = False


def freeze_model(model):
    model.trainable = False
    model.get_layer("dense").trainable = True


@pytest.mark.parametrize(
    "freeze",
    [freeze_layer, freeze_weight, freeze_all_but_a_weight, freeze_lap, freeze_model],
)
def test_thawing_restores_every_flag(freeze):
    model = nested_model()
    freeze(model)
    before = flags(model)
    thaw = keras_lap.freeze_all_but_lap(model)
    laps = keras_lap.lap_layers(model)
    parts_of_lap = {id(weight) for layer in laps for weight in layer.weights}
    assert {id(weight) for weight in model.trainable_weights} <= parts_of_lap
    assert flags(model) != before
    thaw()
    assert flags(model) == before


def test_thawing_restores_a_layer_in_two_models():
    shared = layers.Dense(3, name="shared")
    x = inputs = keras.Input((8, 8, 3))
    for name in ("first", "second"):
        inner = keras.Sequential([keras.Input((8, 8, 3)), shared], name=name)
        x = inner(x)
    model = keras.Model(inputs, keras_lap.GlobalLAPooling2D()(x))
    model.get_layer("second").trainable = False
    model.get_layer("first").trainable = False
    shared.trainable = True
    before = flags(model)
    keras_lap.freeze_all_but_lap(model)()
    assert flags(model) == before


def test_models_without_lap_are_left_alone():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match=r"LAP layers.*none.*keras_lap\.convert"):
        keras_lap.freeze_all_but_lap(model)
    assert len(model.trainable_weights) == 2
    with pytest.raises(TypeError, match="model of type list"):
        keras_lap.freeze_all_but_lap([])
