"""How coarse maps are, and how far their pixels see, whatever is on the way."""

import keras
import pytest
from keras import layers
from networks import reaches_of

import keras_lap

pytestmark = pytest.mark.torch_suffices


class ReflectionPadding2D(layers.Layer):
    """A padding of one's own."""

    def call(self, x):
        return keras.ops.pad(x, [(0, 0), (3, 3), (3, 3), (0, 0)], mode="reflect")


KEEPING_STEPS = {
    "pad": lambda x: keras.ops.pad(x, [(0, 0), (3, 3), (3, 3), (0, 0)]),
    "pad_images": lambda x: keras.ops.image.pad_images(x, 3, 3, 3, 3),
    "crop_images": lambda x: keras.ops.image.crop_images(x, 3, 3, 3, 3),
    "slice": lambda x: x[:, 3:-3, 3:-3],
    "CenterCrop": layers.CenterCrop(6, 6),
    "RandomCrop": layers.RandomCrop(6, 6),
    "of one's own": ReflectionPadding2D(),
}


@pytest.mark.parametrize("name", KEEPING_STEPS)
def test_pads_and_crops_keep_the_step(name):
    x = inputs = keras.Input((24, 24, 3))
    x = KEEPING_STEPS[name](layers.MaxPooling2D(name="first")(x))
    x = layers.MaxPooling2D(name="second")(layers.Conv2D(4, 3)(x))
    reaches = reaches_of(keras_lap.plan(keras.Model(inputs, x)))
    assert reaches == {"first": (0, (1, 1)), "second": (1, (6, 6))}


def test_slices_and_layers_of_ones_own_skip_pixels():
    x = inputs = keras.Input((30, 30, 3))
    x = layers.MaxPooling2D(name="sliced")(x[:, 1::2, 1::2])
    x = layers.Lambda(lambda x: x[:, ::2, ::2], (4, 4, 3))(x)
    x = layers.MaxPooling2D(name="of one's own")(x)
    reaches = reaches_of(keras_lap.plan(keras.Model(inputs, x)))
    assert reaches == {"sliced": (1, (1, 1)), "of one's own": (3, (3, 3))}


def test_a_normalised_convolution_is_a_convolution():
    x = inputs = keras.Input((16, 16, 3))
    x = layers.SpectralNormalization(layers.Conv2D(4, 3, strides=2))(x)
    x = layers.MaxPooling2D(name="pool")(x)
    assert reaches_of(keras_lap.plan(keras.Model(inputs, x))) == {"pool": (1, (3, 3))}


def test_a_shuffle_of_channels_keeps_the_field():
    x = inputs = keras.Input((16, 16, 4))
    x = layers.MaxPooling2D(name="first")(x)
    x = layers.Permute((1, 2, 4, 3))(layers.Reshape((8, 8, 2, 2))(x))
    x = layers.MaxPooling2D(name="second")(layers.Reshape((8, 8, 4))(x))
    reaches = reaches_of(keras_lap.plan(keras.Model(inputs, x)))
    assert reaches == {"first": (0, (1, 1)), "second": (1, (2, 2))}


@pytest.mark.parametrize("shape", [(28, 28), (784,)])
def test_the_first_map_of_a_model_without_images_is_the_image(shape):
    inputs = keras.Input(shape)
    x = layers.Conv2D(4, 3, padding="same")(layers.Reshape((28, 28, 1))(inputs))
    x = layers.MaxPooling2D(name="first")(x)
    x = layers.MaxPooling2D(name="second")(x)
    x = layers.Reshape((7, 7, 1))(layers.Dense(49)(layers.Flatten()(x)))
    x = layers.GlobalAveragePooling2D(name="head")(x)
    plan = keras_lap.plan(keras.Model(inputs, layers.Dense(40)(x)))
    assert reaches_of(plan) == {
        "first": (0, (3, 3)),
        "second": (1, (4, 4)),
        "head": (2, (28, 28)),
    }
    assert [row.concepts for row in plan.rows] == [1, 1, 40]
