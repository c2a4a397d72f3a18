"""What a converted model can do, and `lap_layers`, which finds what was put in."""

import keras
import numpy as np
import pytest
from converted_models import RandomGraph, random_inputs, small_model
from keras import layers, ops
from networks import lap_names, randomise

from keras_lap import LAPooling2D, lap_layers
from keras_lap.surgery import convert


@pytest.mark.parametrize(
    "is_fresh", [False, pytest.param(True, marks=pytest.mark.thorough)]
)
def test_a_saved_model_computes_the_same(
    tmp_path, rng, is_fresh, call_in_fresh_process
):
    model = randomise(RandomGraph(1).model(), rng)
    converted = convert(model, where="all", hidden=3)
    for layer in lap_layers(converted):
        layer.gate.assign(0.5)
    x = random_inputs(model, rng)
    if is_fresh:
        named = keras.Model(converted.inputs, {"y": converted.output})
        found = call_in_fresh_process(named, x)["y"]
    else:
        converted.save(tmp_path / "model.keras")
        found = keras.models.load_model(tmp_path / "model.keras")(x)
    np.testing.assert_array_equal(found, converted(x))


def test_the_open_gate_lets_gradients_reach_the_scores(rng):
    import tensorflow as tf

    converted = convert(small_model(), where="all")
    x = random_inputs(converted, rng)

    def largest_gradients():
        kernels = [layer.head.logits.kernel for layer in lap_layers(converted)]
        with tf.GradientTape() as tape:
            loss = ops.sum(ops.square(converted(x)))
        gradients = tape.gradient(loss, [kernel.value for kernel in kernels])
        return [float(ops.max(ops.abs(gradient))) for gradient in gradients]

    assert largest_gradients() == [0, 0, 0]
    for layer in lap_layers(converted):
        layer.gate.assign(0.5)
    assert min(largest_gradients()) > 0


def test_lap_layers_in_order_of_depth():
    class Block(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.pool = LAPooling2D(2, name="in_block")

        def call(self, x):
            return self.pool(x)

    late = LAPooling2D(2, name="late")
    x = keras.Input((16, 16, 2))
    inner = keras.Sequential([LAPooling2D(1, name="in_nested"), Block()])
    short = LAPooling2D(2, name="short")(x)
    deep = inner(layers.Conv2D(2, 1)(x))
    model = keras.Model(x, late(late(short + deep)))
    assert lap_names(model) == ["short", "in_nested", "in_block", "late"]
    with pytest.raises(TypeError, match="model of type NoneType"):
        lap_layers(None)
