"""Maps of a network whose gates are not open are warned of."""

import re
import warnings

import keras
import numpy as np
import pytest
from converted_models import small_model

import keras_lap
from keras_lap.evaluation.explainers import LAP
from keras_lap.layers.gate_warning import gate_warning

IMAGES = np.random.default_rng(0).random((2, 24, 24, 3)).astype("float32")


@pytest.fixture
def converted():
    return keras_lap.convert(small_model(), where="all")


def open_gates(model, *gates):
    pooling = keras_lap.lap_layers(model)
    for layer, gate in zip(pooling, gates, strict=True):
        layer.gate.assign(gate)


@pytest.mark.parametrize("explain", [keras_lap.explain, LAP(class_concepts=[0] * 5)])
def test_gates_that_are_not_open(converted, explain):
    def explained():
        if explain is keras_lap.explain:
            return explain(converted, IMAGES)
        return explain.explain(converted, IMAGES, 0)

    open_gates(converted, 1.0, 0.25, 0.5)
    said = re.escape("2 of the 3 LAP layers are not open: the lowest is 0.25")
    with pytest.warns(UserWarning, match=said) as caught:
        explained()
    (told,) = (each for each in caught if "gates" in str(each.message))
    assert told.filename == __file__
    open_gates(converted, 1.0, 1.0, 1.0)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The gates of")
        explained()


@pytest.mark.parametrize("options", [{"layers": [2]}, {"combine": "layer"}])
def test_only_layers_that_are_read_count(converted, options):
    open_gates(converted, 0.0, 0.0, 1.0)
    names = [layer.name for layer in keras_lap.lap_layers(converted)]
    if "layers" in options:
        options = {"layers": [names[at] for at in options["layers"]]}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "The gates of")
        keras_lap.explain(converted, IMAGES, **options)


def test_layers_without_a_base_have_no_gate():
    layer = keras_lap.GlobalLAPooling2D(concepts=2)
    model = keras.Sequential([keras.Input((8, 8, 3)), layer])
    assert gate_warning(keras_lap.lap_layers(model)) is None


def test_the_monitor_says_nothing_of_gates(converted, tmp_path):
    pytest.importorskip("matplotlib", reason="the monitor draws")
    monitor = keras_lap.callbacks.ExplanationMonitor(IMAGES, tmp_path)
    monitor.set_model(converted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monitor.on_train_begin()
        monitor.on_epoch_end(0)
    assert list(tmp_path.glob("*.png"))
