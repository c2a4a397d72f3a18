"""The tape that collects what the LAP layers of a model saw."""

import threading

import keras
import numpy as np
import pytest
from autodiff import layer_gradients
from keras import ops
from tolerances import assert_close, assert_identical

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.layers import score_tape
from keras_lap.layers.score_head import attention_scores

pytestmark = pytest.mark.jax_too


@pytest.fixture
def x(rng):
    """Features of a batch of two maps of 8 x 8 pixels and 3 channels."""
    return rng.normal(size=(2, 8, 8, 3)).astype("float32")


def test_records_what_a_layer_computed(x):
    layer = LAPooling2D(2, concepts=4, scores="noisy_or")
    with score_tape() as records:
        layer(x)
    (record,) = records
    assert record.layer is layer
    assert_identical(record.logits, layer.head(x))
    assert_identical(record.scores, ops.sigmoid(record.logits))
    assert record.scores.shape == (2, 8, 8, 4)
    expected = attention_scores(record.scores, "noisy_or")
    assert_identical(record.attention, expected)
    assert record.attention.shape == (2, 8, 8, 1)


def test_a_layer_that_scores_with_its_features_has_no_logits(x):
    with score_tape() as records:
        LAPooling2D(2, scores="features", gating=None)(x)
    assert records[0].logits is None
    assert records[0].scores is None
    assert_identical(records[0].attention, x)


def test_maps_are_channels_last_whatever_the_layer(x):
    layer = LAPooling2D(2, concepts=4, data_format="channels_first")
    with score_tape() as records:
        layer(np.moveaxis(x, -1, 1))
    assert records[0].logits.shape == (2, 8, 8, 4)
    assert_identical(records[0].logits, layer.head(x))


@pytest.mark.slow_on_jax
def test_records_in_the_order_of_the_calls(x):
    shared = LAPooling2D(2, padding="same")
    inputs = keras.Input((8, 8, 3))
    twice = shared(shared(inputs))
    last = GlobalLAPooling2D()
    model = keras.Model(inputs, last(keras.Sequential([LAPooling2D(2)])(twice)))
    with score_tape() as records:
        model(x)
    assert [record.attention.shape[1] for record in records] == [8, 4, 2, 1]
    assert [record.layer is shared for record in records] == [True, True, False, False]
    assert records[3].layer is last


def test_a_closed_tape_records_nothing(x):
    layer = LAPooling2D(2)
    with score_tape() as records:
        pass
    layer(x)
    assert records == []


def test_a_nested_tape_takes_the_records_alone(x):
    first, second, third = (LAPooling2D(2) for _ in range(3))
    with score_tape() as outer:
        first(x)
        with score_tape() as inner:
            second(x)
        third(x)
    assert [record.layer for record in outer] == [first, third]
    assert [record.layer for record in inner] == [second]


def test_an_error_closes_the_tape(x):
    layer = LAPooling2D(2)
    with score_tape() as outer:
        with pytest.raises(RuntimeError, match="on purpose"), score_tape() as inner:
            raise RuntimeError("on purpose")
        layer(x)
    layer(x)
    assert inner == []
    assert [record.layer for record in outer] == [layer]


def test_tapes_are_local_to_their_thread(x):
    layer = LAPooling2D(2)
    layer.build(x.shape)
    opened, called = threading.Event(), threading.Event()
    in_thread = []

    def tape_in_another_thread():
        with score_tape() as records:
            opened.set()
            called.wait(timeout=60)
            layer(2 * x)
        in_thread.extend(records)

    thread = threading.Thread(target=tape_in_another_thread)
    thread.start()
    assert opened.wait(timeout=60)
    with score_tape() as here:
        layer(x)
        called.set()
        thread.join(timeout=60)
    assert [len(here), len(in_thread)] == [1, 1]
    assert_identical(here[0].logits, layer.head(x))
    assert_identical(in_thread[0].logits, layer.head(2 * x))


def test_a_thread_without_a_tape_records_nothing(x):
    layer = LAPooling2D(2)
    with score_tape() as records:
        thread = threading.Thread(target=layer, args=(x,))
        thread.start()
        thread.join(timeout=60)
    assert layer.built
    assert records == []


def test_gradients_flow_through_the_records(x):
    layer = LAPooling2D(2, concepts=3)
    layer.build(x.shape)
    _, (_, of_kernel, of_bias) = layer_gradients(
        layer, x, lambda y, record: ops.sum(record.logits)
    )
    assert_close(of_bias, np.full(3, 10.0 * 2 * 8 * 8), rtol=1e-5, atol=0)
    sums = 10 * x.sum(axis=(0, 1, 2))
    assert_close(of_kernel, np.stack([sums] * 3, axis=1), rtol=1e-4, atol=1e-3)
