"""Losses on images changed by their own maps, on arrays."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from intervention_oracles import term
from numeric_gradients import numeric_gradient
from tolerances import assert_close, tolerance

from keras_lap.losses import (
    Necessity,
    PerturbationLoss,
    Sufficiency,
)

pytest_plugins = ["injection_problem"]
both = pytest.mark.parametrize("kind", [Necessity, Sufficiency])
both_outputs = pytest.mark.parametrize("outputs", ["softmax", "sigmoid"])


PRESENT = np.array([[0, 1, 0, 0], [1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]])
FORMS = ["logits", "probabilities with logits", "probabilities alone"]


def predictions_in(form, logits, outputs):
    if form == "logits":
        return logits
    predictions = getattr(keras.activations, outputs)(logits)
    return predictions if form == "probabilities with logits" else predictions + 0


@both
@both_outputs
@pytest.mark.parametrize("form", FORMS)
def test_equals_the_oracle(rng, kind, outputs, form):
    logits = rng.normal(scale=2, size=(4, 4)).astype("float32")
    predictions = predictions_in(form, tf.constant(logits), outputs)
    loss = kind(outputs, from_logits=form == "logits")
    actual = loss(predictions, present=PRESENT)
    assert keras.backend.standardize_dtype(actual.dtype) == "float32"
    expected = term(kind, logits, PRESENT, outputs)
    assert expected[2] == 0 < min(expected[:2])
    # A logit from a probability of a thousandth at least from 0 and 1.
    allowed = tolerance("float32", 40, 10 if form != "probabilities alone" else 1e3)
    assert_close(actual, expected, **allowed)


@both
@both_outputs
def test_derivative_equals_differences(rng, kind, outputs):
    logits, upstream = rng.normal(scale=3, size=(4, 4)), rng.normal(size=4)
    z = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(z)
        values = kind(outputs).call(z, tf.constant(PRESENT, "float64"))
        total = tf.reduce_sum(upstream * values)
    expected = numeric_gradient(
        lambda z: np.sum(upstream * term(kind, z, PRESENT, outputs)), logits
    )
    assert_close(tape.gradient(total, z), expected, 1e-9, 1e-9)


@both
@both_outputs
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_extreme_predictions_stay_finite(kind, outputs, form, dtype):
    """Sure of what is present, sure of something else, and sure of nothing."""
    logits = 1e4 * np.array([[-1, 1, -1, -1], [0, -1, 1, 0], [1, 0, 0, -1], [0] * 4])
    z = tf.cast(logits, dtype)
    present = np.broadcast_to(PRESENT[:1], (4, 4))
    with tf.GradientTape() as tape:
        tape.watch(z)
        predictions = predictions_in(form, z, outputs)
        values = kind(outputs, from_logits=form == "logits")(predictions, present)
    gradient = np.float64(tape.gradient(values, z))
    assert np.isfinite(values).all()
    assert np.isfinite(gradient).all()
    if form != "probabilities alone":
        assert_close(values, term(kind, np.float64(z), present, outputs), 1e-6, 1e-6)
        # A network that is sure of what it should not be still learns.
        worst = 0 if kind is Necessity else 1
        assert np.abs(gradient[worst]).max() > 0.9


@both
def test_a_sure_network_is_told_from_a_less_sure_one(kind):
    """Far below what a float32 keeps of a probability near 1."""
    side = 1 if kind is Sufficiency else -1
    logits = side * np.array([[40.0, 0.0], [60.0, 0.0]])
    values = kind(from_logits=True)(logits, present=np.array([[1, 0], [1, 0]]))
    assert_close(values, np.exp([-40.0, -60.0]), 1e-5, 1e-30 + 2**-24)
    values = kind(from_logits=True)(-logits, present=np.array([[1, 0], [1, 0]]))
    assert_close(values, [40, 60], 1e-6, 0)


@both
def test_survives_serialisation(kind):
    loss = kind("sigmoid", from_logits=True, blur=0.3, name="changed")
    text = json.dumps(keras.saving.serialize_keras_object(loss))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(copy) is kind
    settings = {"outputs": "sigmoid", "from_logits": True, "blur": 0.3}
    assert copy.get_config() == {"name": "changed", **settings}
    assert kind().name == kind.__name__.lower()


REFUSED_ARGUMENTS = [
    {"outputs": "linear"},
    {"blur": 0},
    {"blur": math.inf},
    {"blur": math.nan},
    {"blur": "wide"},
]


@both
@pytest.mark.parametrize("arguments", REFUSED_ARGUMENTS, ids=str)
def test_refuses_bad_arguments(kind, arguments):
    with pytest.raises(ValueError, match=r"(?s)Expected.*Received"):
        kind(**arguments)


def test_refuses_bad_predictions():
    with pytest.raises(ValueError, match=r"(?s)Expected.*\(N, classes\).*\(2, 3, 3\)"):
        Necessity()(np.zeros((2, 3, 3)), present=np.zeros((2, 3)))
    with pytest.raises(ValueError, match='outputs="sigmoid"'):
        Necessity()(np.zeros((2, 1)), present=np.zeros((2, 1)))


@pytest.mark.parametrize("method, arguments", [("kept", 1), ("call", 2)])
def test_a_loss_without_its_methods_says_what_is_missing(method, arguments):
    with pytest.raises(NotImplementedError, match=f"must implement `{method}"):
        getattr(PerturbationLoss(), method)(*[np.zeros((1, 2))] * arguments)
