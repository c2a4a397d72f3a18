"""Knowledge losses in TensorFlow: gradients, extreme logits, unknown sizes."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from knowledge_oracles import every_loss, knowledge_for, oracle, softplus
from numeric_gradients import directional_derivative, numeric_gradient
from tolerances import assert_close, tolerance

from keras_lap.losses import AreaPrior, Exclusivity, Presence

# All parts of the losses count in them; each entry takes four calls of the oracle.
SMALL = [(3, 2, 4, 3), (3, 3, 1, 1), (3, 1, 1, 3)]
# Those on scores have no gradient where all scores are 0 or 1.
ON_SCORES = (AreaPrior, Exclusivity)


@every_loss
@pytest.mark.parametrize("shape", SMALL)
def test_gradient_equals_differences_of_the_oracle(rng, loss, shape):
    logits = rng.normal(size=shape)
    knowledge = knowledge_for(loss, shape, rng)
    upstream = rng.normal(size=shape[0])
    z = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(z)
        values = loss.call(
            z, **{name: tf.cast(value, "float64") for name, value in knowledge.items()}
        )
        total = tf.reduce_sum(upstream * values)
    expected = numeric_gradient(
        lambda changed: np.sum(upstream * oracle(loss, changed, **knowledge)), logits
    )
    assert_close(tape.gradient(total, z), expected, 1e-9, 1e-9)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_presence_of_few_and_of_many_concepts(jit_compile):
    """Which are gathered first, or not; in batches of unknown size, as `fit` has."""
    loss, shape = Presence(top_fraction=0.2), (3, 4, 5, 20)
    kinds = [tf.TensorSpec((None, *sizes), "float64") for sizes in (shape[1:], (20,))]

    @tf.function(jit_compile=jit_compile, input_signature=kinds)
    def evaluate(z, present):
        with tf.GradientTape() as tape:
            tape.watch(z)
            values = loss.call(z, present)
        return values, tape.gradient(values, z)

    for share in (0, 0.3, 0.9):
        rng = np.random.default_rng(0)
        logits, chosen = rng.normal(size=shape), rng.uniform(size=(3, 20)) < share
        present = np.where(chosen, 1.0, rng.choice([0, -1], 20))
        values, gradient = evaluate(tf.constant(logits), tf.constant(present))
        assert_close(values, oracle(loss, logits, present=present), 1e-12, 1e-12)
        direction = rng.normal(size=shape)
        slope = directional_derivative(
            lambda z, present=present: np.sum(oracle(loss, z, present=present)),
            logits,
            direction,
        )
        assert_close(np.sum(gradient * direction), slope, 1e-9, 1e-9)


@every_loss
def test_extreme_logits_stay_finite(rng, loss):
    shape = (4, 5, 4, 3)
    logits = rng.choice([-1e4, 1e4], size=shape).astype("float32")
    knowledge = knowledge_for(loss, shape, rng)
    z = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(z)
        values = loss(z, **knowledge)
    allowed = tolerance("float32", 2 * 20, 2e4)
    assert_close(values, oracle(loss, logits, **knowledge), **allowed)
    gradient = ops.convert_to_numpy(tape.gradient(values, z))
    assert np.isfinite(gradient).all()
    assert isinstance(loss, ON_SCORES) or np.abs(gradient).max() > 0.01


@every_loss
@pytest.mark.one_in(3)
def test_unknown_sizes_in_a_graph_are_traced_once(rng, loss):
    lengths = {3: 3, 4: 4, 2: 2}
    shapes = [(4, 5, 4, 3), (3, 9, 7, 3), (6, 1, 1, 3)]
    data = [
        {
            "logits": rng.normal(size=shape).astype("float32"),
            **knowledge_for(loss, shape, rng),
        }
        for shape in shapes
    ]
    signature = {
        name: tf.TensorSpec([None] * (value.ndim - 1) + [lengths.get(value.shape[-1])])
        for name, value in data[0].items()
    }
    traces = []

    @tf.function(input_signature=[signature])
    def evaluate(values):
        traces.append(1)
        return loss(**values)

    for values in data:
        magnitude = 2 * softplus(np.abs(values["logits"])).max()
        allowed = tolerance("float32", 2 * 63, magnitude)
        assert_close(evaluate(values), loss(**values), **allowed)
    assert len(traces) == 1
