"""Layers that move pixels, inside of a model whose masks they do not move."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers

from keras_lap import GlobalLAPooling2D
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import MaskSupervision, Necessity, Presence

pytestmark = pytest.mark.torch_suffices

SIZE = 8
X = np.zeros((2, SIZE, SIZE, 1), "float32")
TARGETS = {"label": np.array([0, 1]), "mask": np.ones((2, SIZE, SIZE))}


def fit(augmentation, loss, epochs=1, run_eagerly=True):
    inputs = keras.Input((SIZE, SIZE, 1))
    y = GlobalLAPooling2D(concepts=2)(augmentation(inputs))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(y))
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=run_eagerly)
    callbacks = [KnowledgeInjection(loss)]
    model.fit(X, TARGETS, epochs=epochs, verbose=0, callbacks=callbacks)


class Cropped(layers.Layer):
    """Crops by a layer inside of it, which the model's graph does not tell."""

    def __init__(self):
        super().__init__()
        self.crop = layers.CenterCrop(4, 4, name="mirror")

    def call(self, x):
        return self.crop(x)


MOVING = {
    "inside of a layer": Cropped,
    "a layer": lambda: layers.RandomFlip(name="mirror"),
    "nested": lambda: keras.Sequential(
        [layers.RandomContrast(0.1), layers.RandomRotation(0.1, name="mirror")]
    ),
}


@pytest.mark.parametrize("loss", [MaskSupervision, Necessity])
@pytest.mark.parametrize("make", MOVING.values(), ids=MOVING)
def test_warns_of_what_is_left_behind(make, loss):
    expected = r"\['mirror'\].*keras_lap.datasets.augmented"
    with pytest.warns(UserWarning, match=expected) as told:
        fit(make(), loss())
    (moving,) = (each for each in told if "mirror" in str(each.message))
    assert moving.filename == __file__


def cut(x):
    return x[:, 2:]


IN_PLACE = {
    "colours": (lambda: layers.RandomContrast(0.1), MaskSupervision),
    "labels have no place": (
        lambda: keras.Sequential([layers.RandomFlip(), layers.Lambda(cut)]),
        Presence,
    ),
    "what is cut off is known": (lambda: layers.CenterCrop(4, 4), MaskSupervision),
}


@pytest.mark.parametrize("make, loss", IN_PLACE.values(), ids=IN_PLACE)
def test_is_silent_where_nothing_is_left_behind(make, loss):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*(move its images|keep its extent).*")
        fit(make(), loss())


@pytest.mark.parametrize(
    "run_eagerly", [True, pytest.param(False, marks=pytest.mark.tensorflow_too)]
)
def test_warns_once_of_a_step_that_is_not_followed(run_eagerly):
    expected = r"\['mask_supervision'\] compare places.* \['cut'\].*keep its extent"
    with pytest.warns(UserWarning, match=expected) as told:
        step = layers.Lambda(cut, name="cut")
        fit(step, MaskSupervision(), epochs=2, run_eagerly=run_eagerly)
    (guessed,) = (each for each in told if "extent" in str(each.message))
    assert guessed.filename == __file__
