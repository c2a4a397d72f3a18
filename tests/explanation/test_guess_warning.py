"""Maps whose places in the image are guesses are warned of."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers
from keras.src.ops.numpy import Flip

import keras_lap
from keras_lap.evaluation import compare
from keras_lap.evaluation.explainers import LAP
from keras_lap.explanation.concept_maps import concept_maps
from keras_lap.graph.guess_warning import GuessedPlaceWarning

pytestmark = pytest.mark.torch_suffices

IMAGES = np.random.default_rng(0).random((2, 12, 12, 1)).astype("float32")


def model_with(step):
    x = inputs = keras.Input((12, 12, 1))
    x = keras_lap.LAPooling2D(1, concepts=2, name="before")(x)
    x = keras_lap.GlobalLAPooling2D(concepts=2, name="behind")(step(x))
    return keras.Model(inputs, layers.Dense(2)(x))


STEPS = {
    "crop": layers.Lambda(lambda x: x[:, 2:], name="crop"),
    "flip": Flip(axis=1, name="flip"),
}


class Doubling(layers.Layer):
    def call(self, x):
        return 2 * x


def guesses_told(run):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    return [told for told in caught if told.category is GuessedPlaceWarning]


@pytest.mark.parametrize("explain", [keras_lap.explain, LAP().explain])
@pytest.mark.parametrize("name", STEPS)
def test_warns_at_the_line_of_the_user(name, explain):
    model = model_with(STEPS[name])
    targets = () if explain is keras_lap.explain else (0,)
    (told,) = guesses_told(lambda: explain(model, IMAGES, *targets))
    assert told.filename == __file__
    assert f"Where the steps ['{name}'] of the model put" in str(told.message)


def test_batches_are_warned_of_together():
    maps_of = concept_maps(model_with(STEPS["crop"]))

    def run():
        for _ in range(2):
            maps_of(IMAGES, lambda concepts, classes: np.zeros(2, int))

    assert len(guesses_told(run)) == 1


def test_compare_warns_once():
    data = {"image": IMAGES, "mask": IMAGES[..., 0] > 0.5}
    explainers = [LAP(), LAP(combine="mean", name="mean")]
    options = {"metrics": ["pointing_game"], "timing_rounds": 0, "verbose": False}

    def run():
        compare(model_with(STEPS["crop"]), data, explainers, **options)

    (told,) = guesses_told(run)
    assert told.filename == __file__


def test_is_silent_where_nothing_is_guessed():
    model = model_with(Doubling())
    assert not guesses_told(lambda: keras_lap.explain(model, IMAGES))


def test_layers_in_front_of_a_guess_are_known():
    model = model_with(STEPS["crop"])
    assert not guesses_told(lambda: keras_lap.explain(model, IMAGES, layers=["before"]))


def test_the_monitor_warns_once(tmp_path):
    pytest.importorskip("matplotlib", reason="the monitor draws")
    monitor = keras_lap.callbacks.ExplanationMonitor(
        IMAGES, tmp_path, max_images=1, tensorboard=None
    )
    monitor.set_model(model_with(STEPS["crop"]))

    def run():
        monitor.on_train_begin()
        for epoch in range(2):
            monitor.on_epoch_end(epoch)

    assert len(guesses_told(run)) == 1
