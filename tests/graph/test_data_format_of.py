"""The layout of images is found through whatever comes before the first layer."""

import keras
import pytest
from keras import layers, ops

from keras_lap.graph.data_format_of import data_format_of

pytestmark = pytest.mark.torch_suffices

STEPS = {
    "scale": lambda image, scale: layers.Multiply()([scale, image]),
    "channels": lambda image, _: keras.applications.resnet.preprocess_input(
        image, "channels_first"
    ),
    "colours": lambda image, _: layers.RandomBrightness(0.1)(image),
}


@pytest.mark.parametrize("taken", ["channels_first", "channels_last"])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_first_layer_behind_a_step(step, taken):
    scale = keras.Input((3,))
    x = image = keras.Input((3, 8, 6) if taken == "channels_first" else (8, 6, 3))
    if taken == "channels_last":
        x = ops.transpose(x, (0, 3, 1, 2))
    x = step(x, layers.Reshape((3, 1, 1))(scale))
    x = layers.Conv2D(4, 3, data_format="channels_first")(x)
    assert data_format_of(keras.Model([scale, image], x)) == taken


def test_maps_that_are_made_anew():
    x = image = keras.Input((3, 8, 6))
    x = layers.Reshape((3, 8, 6))(layers.Dense(144)(layers.Flatten()(x)))
    x = layers.Conv2D(4, 3, data_format="channels_first")(x)
    assert data_format_of(keras.Model(image, x)) == "channels_first"
