"""Images of another range than in training are warned of, and right ones are not."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers

from keras_lap import LAPooling2D, explain

RNG = np.random.default_rng(0)


def photos(count=4):
    """Random blots, in [0, 255], with the contrast of photos."""
    small = RNG.uniform(0, 1, (count, 6, 6, 3))
    return np.kron(small, np.ones((1, 4, 4, 1))) * 255


def warnings_of(model, images):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        explain(model, images)
    return [str(warning.message) for warning in caught]


def trained(images, *preprocessing, nested=False, policy="float32"):
    """A network whose statistics are those of its images."""
    convolution = layers.Conv2D(8, 3, padding="same", dtype=policy)
    norm = layers.BatchNormalization(momentum=0, dtype=policy, name="norm")
    stack = [convolution, norm, layers.ReLU(), LAPooling2D(2, dtype=policy)]
    if nested:
        stack = [keras.Sequential([keras.Input(images.shape[1:]), *stack])]
    model = keras.Sequential([keras.Input(images.shape[1:]), *preprocessing, *stack])
    model(images, training=True)
    return model


FACTORS = {"[0, 1]": 1 / 255, "[0, 255]": 1, "16 bits": 257}


@pytest.mark.parametrize("given", FACTORS)
@pytest.mark.parametrize("known", FACTORS)
def test_statistics_of_a_normalization_tell(known, given):
    model = trained(photos() * FACTORS[known])
    found = warnings_of(model, photos() * FACTORS[given])
    assert len(found) == (known != given)
    if found:
        assert "what reaches 'norm'" in found[0]


@pytest.mark.parametrize("options", [{"nested": True}, {"policy": "mixed_float16"}])
def test_they_tell_in_every_kind_of_model(options):
    model = trained(photos() / 255, **options)
    assert warnings_of(model, photos() / 255) == []
    assert len(warnings_of(model, photos() * 20)) == 1


def test_layers_called_by_keyword_tell():
    inner = trained(photos())
    image = keras.Input((24, 24, 3))
    model = keras.Model(image, inner(inputs=image))
    assert warnings_of(model, photos()) == []
    assert len(warnings_of(model, photos() / 255)) == 1


def test_rescaling_tells():
    model = trained(photos(), layers.Rescaling(1 / 127.5, offset=-1, name="to_one"))
    assert warnings_of(model, photos()) == []
    for images in (photos() / 255, photos() / 127.5 - 1):
        (message,) = warnings_of(model, images)
        assert "'to_one' rescales by 0.007843" in message


def test_rescaling_back_and_forth_says_nothing():
    forth, back = layers.Rescaling(255), layers.Rescaling(1 / 255)
    model = trained(photos() / 255, forth, back)
    assert warnings_of(model, photos() / 255) == []


def test_adapted_normalization_tells():
    normalization = layers.Normalization(name="adapted")
    normalization.adapt(photos())
    model = keras.Sequential([keras.Input((24, 24, 3)), normalization, LAPooling2D(2)])
    assert warnings_of(model, photos()) == []
    (message,) = warnings_of(model, photos() / 255)
    assert "what reaches 'adapted'" in message


@pytest.mark.parametrize("factor", FACTORS.values())
def test_fresh_statistics_say_nothing(factor):
    stack = [layers.Normalization(), layers.Conv2D(8, 3), layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((24, 24, 3)), *stack, LAPooling2D(2)])
    assert warnings_of(model, photos() * factor) == []
    # Nor do those of the first steps of training, as far as the first values rule them.
    model.layers[2].moving_variance.assign(0.7 + RNG.uniform(0, 0.02, 8))
    assert warnings_of(model, photos() * factor) == []


PADDING = [(0, 0), (9, 14), (5, 18), (0, 0)]
CONTENTS = {
    "one photo": lambda: photos(1),
    "dark": lambda: photos(1) * 0.1,
    "low contrast": lambda: photos(1) * 0.1 + 100,
    "even": lambda: np.full((1, 24, 24, 3), 90.0),
    "black": lambda: np.zeros((1, 24, 24, 3)),
    "one pixel": lambda: 255 * np.pad(np.ones((1, 1, 1, 3)), PADDING),
    "black and white": lambda: np.rint(photos(1) / 255) * 255,
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("factor", [1, 1 / 255])
def test_unusual_images_of_the_right_range_are_not_warned_of(content, factor):
    model = trained(photos(8) * factor)
    assert warnings_of(model, CONTENTS[content]() * factor) == []


def test_models_without_a_graph_say_nothing():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.stack = trained(photos())

        def call(self, inputs, training=None):
            return self.stack(inputs, training=training)

    model = Subclassed()
    model(photos())
    assert warnings_of(model, photos() / 255) == []


def test_the_warning_points_at_the_call():
    model = trained(photos())
    with pytest.warns(UserWarning, match="another range") as caught:
        explain(model, photos() / 255)
    assert caught[0].filename == __file__
