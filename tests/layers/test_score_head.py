"""The score head, and how concept scores become attention."""

import json

import keras
import numpy as np
import oracle
import pytest
from autodiff import gradients
from keras import ops
from tolerances import assert_close, assert_identical, tolerance

from keras_lap.layers.score_head import ScoreHead, attention_scores

pytestmark = pytest.mark.jax_too

ACTIVATIONS = ("sigmoid", "ramp")


@pytest.fixture
def x(rng):
    """Features of a batch of two maps of 4 x 5 pixels and 3 channels."""
    return rng.normal(size=(2, 4, 5, 3)).astype("float32")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("initial_score", [0.01, 0.05, 0.5, 0.9])
@pytest.mark.parametrize("hidden", [None, 8])
@pytest.mark.parametrize("gain", [1.0, 10.0])
@pytest.mark.one_in(4)
def test_every_concept_starts_at_the_initial_score(
    x, activation, initial_score, hidden, gain
):
    head = ScoreHead(6, hidden, activation, initial_score, gain)
    nothing = head(0 * x)
    scores = ops.convert_to_numpy(head.scores(nothing))
    assert scores.shape == (2, 4, 5, 6)
    assert scores == pytest.approx(initial_score, rel=1e-4)
    # The small random kernel lifts some pixels and concepts and lowers others.
    change = ops.convert_to_numpy(head(x) - nothing)
    assert abs(change.mean()) < 0.1
    assert 0 < change.std() < 0.5


def test_certainty():
    logits = np.array([-3.0, 0.0, 1.0, 2.0, 9.0], "float32")
    assert ScoreHead(1, activation="sigmoid").certainty(logits) is None
    ramp = ops.convert_to_numpy(ScoreHead(1, activation="ramp").certainty(logits))
    expected = 1 / (1 + np.exp(-logits.astype("float64")))
    assert_close(ramp, expected, **tolerance("float32", terms=1))


@pytest.mark.parametrize("gain", [0.5, 10.0])
def test_logits_are_affine_in_each_pixel_alone(x, rng, gain):
    head = ScoreHead(2, gain=gain)
    head.build(x.shape)
    kernel, bias = rng.normal(size=(3, 2)), rng.normal(size=2)
    head.logits.set_weights([kernel, bias])
    assert_close(head(x), gain * (x @ kernel + bias), rtol=0, atol=1e-5 * gain)


@pytest.mark.parametrize("hidden", [None, 8])
@pytest.mark.parametrize("space", [(7,), (4, 5), (2, 3, 4)])
def test_any_number_of_spatial_axes(rng, hidden, space):
    head = ScoreHead(2, hidden)
    x = rng.normal(size=(3, *space, 5))
    assert tuple(head(x).shape) == (3, *space, 2)
    assert head.compute_output_shape(x.shape) == (3, *space, 2)
    assert head(keras.Input((*[None] * len(space), 5))).shape[-1] == 2


def test_hidden_layer_normalises_in_training_only(x):
    head = ScoreHead(2, hidden=4)
    head.build(x.shape)
    norm = head.hidden_layers[1]
    at_rest = ops.convert_to_numpy(head(x, training=False))
    assert_identical(norm.moving_mean, np.zeros(4))
    assert np.abs(ops.convert_to_numpy(head(x, training=True)) - at_rest).max() > 1e-4
    assert np.abs(ops.convert_to_numpy(norm.moving_mean)).min() > 0
    assert len(head.trainable_weights) == 5
    assert len(head.non_trainable_weights) == 2


def test_ramp_reaches_zero_and_one():
    logits = np.array([-9.0, -1.0, -0.75, 0.0, 0.5, 0.75, 1.0, 9.0], "float32")
    scores = ScoreHead(1, activation="ramp").scores(logits)
    expected = [0, 0, 0.125, 0.5, 0.75, 0.875, 1, 1]
    assert_identical(scores, expected)


def test_sigmoid_stays_between_zero_and_one():
    logits = np.array([-9.0, -1.0, 0.0, 3.0, 9.0], "float32")
    scores = ops.convert_to_numpy(ScoreHead(1).scores(logits))
    expected = 1 / (1 + np.exp(-np.float64(logits)))
    assert_close(scores, expected, **tolerance("float32", 1))
    assert 0 < scores.min() < scores.max() < 1


@pytest.mark.parametrize("aggregation", ["max", "noisy_or"])
@pytest.mark.parametrize("concepts", [1, 2, 5])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_attention_equals_the_oracle(rng, aggregation, concepts, dtype):
    scores = ops.cast(rng.random((2, 4, 5, concepts)), dtype)
    exact = np.float64(ops.convert_to_numpy(scores))
    expected = oracle.attention_scores(exact, aggregation)
    attention = attention_scores(scores, aggregation)
    assert keras.backend.standardize_dtype(attention.dtype) == dtype
    if aggregation == "max":
        assert_close(attention, expected, rtol=0, atol=0)
    else:
        # Each factor and each product is rounded to the dtype.
        rounding = tolerance(dtype, 0)["rtol"]
        assert_close(attention, expected, rtol=0, atol=2 * concepts * rounding)


@pytest.mark.parametrize("aggregation", ["max", "noisy_or"])
def test_attention_of_exact_scores(aggregation):
    scores = np.array([[0.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0, 1.0]], "float32")
    attention = attention_scores(ops.convert_to_tensor(scores), aggregation)
    half = 0.5 if aggregation == "max" else 0.75
    assert_identical(ops.ravel(attention), [0, 1, half, 1])


def test_noisy_or_keeps_its_gradient_where_a_concept_is_certain():
    found = gradients(
        lambda tensors: attention_scores(tensors["scores"], "noisy_or"),
        {"scores": np.array([[1.0, 0.5, 0.25]], "float32")},
    )
    # The derivative by one score is the product of what the others miss.
    assert_identical(found["scores"], [[0.375, 0, 0]])


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_configuration_survives_json(x, dtype):
    head = ScoreHead(3, 4, "ramp", 0.3, gain=3.0, dtype=dtype, name="head")
    text = json.dumps(keras.saving.serialize_keras_object(head))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert copy.get_config() == head.get_config()
    head.build(x.shape)
    copy.build(x.shape)
    copy.set_weights(head.get_weights())
    logits = head(x)
    assert keras.backend.standardize_dtype(logits.dtype) == head.compute_dtype
    assert_identical(copy(x), logits)
