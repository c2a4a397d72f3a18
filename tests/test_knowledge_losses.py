"""Knowledge losses against loops over pixels in float64, and what they promise."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from numeric_gradients import numeric_gradient
from tolerances import assert_close, tolerance

from keras_lap.injection.losses.knowledge_loss import masked_mean
from keras_lap.losses import KnowledgeLoss, MaskSupervision, Presence

LOSSES = {
    "presence": Presence(),
    "presence of a third": Presence(top_fraction=0.33),
    "presence of half": Presence(top_fraction=0.5),
    "full masks": MaskSupervision(),
    "outside masks": MaskSupervision(mode="outside"),
}
SHAPES = [(4, 5, 4, 3), (3, 3, 1, 2), (3, 7, 6, 1), (4, 1, 1, 3), (4, 1, 1, 1)]
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def softplus(z):
    return np.logaddexp(0, z)


def presence_term(loss, z, present):
    """The term of one concept of one sample; `z` are its logits `(P,)`."""
    if not present:
        return np.mean(softplus(z))
    z = np.sort(z)[::-1]
    top = z[: max(int(loss.top_fraction * len(z)), 1)]
    lowest = z[len(z) - len(z) // 2 :]
    return np.mean(softplus(-top)) + (np.mean(softplus(lowest)) if len(lowest) else 0)


def region_mean(values, weights):
    return np.mean(values * weights) / max(np.mean(weights), 1e-4)


def mask_term(loss, z, mask):
    """The term of one concept of one sample; `z` and `mask` are `(P,)`."""
    if loss.mode == "outside":
        return region_mean(softplus(z), mask == 0)
    term = region_mean(softplus(-z), mask) + region_mean(softplus(z), 1 - mask)
    if mask.any():
        scores = np.exp(-softplus(-z))
        term += 1 - 2 * np.sum(scores * mask) / (np.sum(scores) + np.sum(mask))
    return term


def oracle(loss, logits, **knowledge):
    """Any of the losses, `(N,)`, concept by concept."""
    means = np.zeros(len(logits))
    for n, sample in enumerate(np.float64(logits)):
        terms = {0: [], 1: []}
        for k in range(sample.shape[-1]):
            z = sample[..., k].ravel()
            if "mask" in knowledge:
                mask = np.float64(knowledge["mask"][n, ..., k]).ravel()
                terms[int(mask.any())].append(mask_term(loss, z, mask))
            elif knowledge["present"][n, k] >= 0:
                state = int(knowledge["present"][n, k])
                terms[state].append(presence_term(loss, z, state))
        means[n] = sum(np.mean(group) for group in terms.values() if group)
    return means


def knowledge_for(loss, shape, rng):
    """Knowledge of every kind there is: unknown concepts, empty and full masks."""
    if loss.needs == ("present",):
        present = rng.choice([1, 0, -1], size=(shape[0], shape[-1]))
        present[:3, 0] = 1, 0, -1
        return {"present": present.astype("float32")}
    mask = rng.uniform(size=shape) * rng.choice([0, 1], size=shape)
    mask[0] = 0
    mask[1, ..., 0] = 1
    return {"mask": mask.astype("float32")}


@every_loss
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_oracle(rng, loss, shape):
    logits = rng.normal(scale=3, size=shape).astype("float32")
    knowledge = knowledge_for(loss, shape, rng)
    actual = loss(logits, **knowledge)
    assert actual.dtype == "float32"
    pixels = shape[1] * shape[2]
    allowed = tolerance("float32", 2 * pixels, 2 * softplus(np.abs(logits)).max())
    assert_close(actual, oracle(loss, logits, **knowledge), **allowed)


@every_loss
@pytest.mark.parametrize("shape", SHAPES)
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
    assert np.abs(gradient).max() > 0.01


@every_loss
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(rng, loss, dtype):
    shape = (4, 5, 4, 3)
    logits = ops.cast(rng.normal(scale=3, size=shape), dtype)
    knowledge = knowledge_for(loss, shape, rng)
    values = loss(logits, **knowledge)
    assert values.dtype == "float32"
    assert_close(values, loss(ops.cast(logits, "float32"), **knowledge), 0, 0)


@every_loss
def test_unknown_sizes_in_a_graph_are_traced_once(rng, loss):
    (name,) = loss.needs
    unknown = [None, None, None, 3]
    known = [None, 3] if name == "present" else unknown
    traces = []

    @tf.function(
        input_signature=[tf.TensorSpec(unknown), tf.TensorSpec(known)],
    )
    def evaluate(logits, value):
        traces.append(1)
        return loss(logits, **{name: value})

    for shape in [(4, 5, 4, 3), (3, 9, 2, 3), (4, 1, 1, 3)]:
        logits = rng.normal(size=shape).astype("float32")
        knowledge = knowledge_for(loss, shape, rng)
        allowed = tolerance("float32", 2 * 20, 2 * softplus(np.abs(logits)).max())
        actual = evaluate(logits, knowledge[name])
        assert_close(actual, loss(logits, **knowledge), **allowed)
    assert len(traces) == 1


@every_loss
def test_survives_serialisation(rng, loss):
    loss = type(loss)(**{**loss.get_config(), "name": "renamed"})
    text = json.dumps(keras.saving.serialize_keras_object(loss))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(copy) is type(loss)
    assert copy.name == "renamed"
    assert copy.get_config() == loss.get_config()
    logits = rng.normal(size=(4, 5, 4, 3))
    knowledge = knowledge_for(loss, logits.shape, rng)
    assert_close(copy(logits, **knowledge), loss(logits, **knowledge), 0, 0)


def test_unknown_concepts_have_no_influence(rng):
    logits = rng.normal(size=(2, 5, 4, 3))
    present = np.array([[1, -1, 0], [-1, -1, -1]])
    values = ops.convert_to_numpy(Presence()(logits, present=present))
    assert values[1] == 0
    assert values[0] > 0
    changed = np.where((present < 0)[:, None, None], 7.0, logits)
    assert_close(Presence()(changed, present=present), values, 0, 0)


def test_presence_can_be_satisfied_by_the_top_pixels_alone():
    logits = np.full((1, 10, 10, 1), -20.0)
    logits[0, 3, :5] = 20
    loss = Presence(top_fraction=0.05)
    assert loss(logits, present=np.ones((1, 1)))[0] < 1e-6
    logits[0, 3, 4] = -20
    assert loss(logits, present=np.ones((1, 1)))[0] > 3


@pytest.mark.parametrize("mode", ["full", "outside"])
def test_an_empty_mask_leaves_the_outside_term(rng, mode):
    logits = rng.normal(size=(1, 5, 4, 2))
    value = MaskSupervision(mode=mode)(logits, mask=np.zeros(logits.shape))
    assert_close(value, [np.mean(softplus(logits))], **tolerance("float32", 40, 10))


@pytest.mark.parametrize("mode", ["full", "outside"])
def test_a_full_mask_has_no_outside_even_when_rounded(mode):
    size = (1, 64, 64, 1)
    mask = np.full(size, 1 - 2.0**-24, "float32")
    value = MaskSupervision(mode=mode)(np.full(size, 20.0), mask=mask)
    # As large as the share of the map that the rounding pretends lies outside.
    assert_close(value, [0], 0, 20 * 2**-24 / 1e-4 + 1e-6)


def test_outside_does_not_care_what_happens_inside(rng):
    mask = np.zeros((1, 6, 6, 1))
    mask[0, 1:4, 2:5] = rng.uniform(0.1, 1, size=(3, 3, 1))
    logits = rng.normal(size=mask.shape)
    loss = MaskSupervision(mode="outside")
    changed = np.where(mask > 0, rng.normal(size=mask.shape), logits)
    assert_close(loss(changed, mask=mask), loss(logits, mask=mask), 0, 0)


def test_a_small_object_counts_as_much_as_a_large_background():
    """Missing the object costs the same whether it has 1 pixel or half of the map."""
    costs = []
    for rows in (1, 8):
        mask = np.zeros((1, 16, 1, 1))
        mask[0, :rows] = 1
        costs.append(float(MaskSupervision()(np.full(mask.shape, -30.0), mask=mask)[0]))
    np.testing.assert_allclose(costs, 30 + 1, rtol=1e-6)


@pytest.mark.parametrize("share, factor", [(0.01, 1), (5e-5, 0.5), (0, 0)])
def test_regions_of_almost_nothing_count_in_proportion(share, factor):
    weights = ops.full((1, 4, 4, 1), share, dtype="float64")
    values = ops.full((1, 4, 4, 1), 3.0, dtype="float64")
    assert_close(masked_mean(values, weights), [[3 * factor]], 1e-6, 0)


class SmallArea(KnowledgeLoss):
    """A loss of a user's own."""

    needs = ("present",)

    def call(self, logits, present):
        return ops.mean(ops.sigmoid(logits), axis=(1, 2, 3)) * ops.max(present, axis=-1)


def test_a_loss_of_ones_own_needs_only_call():
    loss = SmallArea()
    assert loss.name == "small_area"
    assert SmallArea.from_config(loss.get_config()).name == "small_area"
    assert SmallArea(name="area").get_config() == {"name": "area"}
    values = loss(np.zeros((2, 4, 4, 3), "float16"), present=np.eye(3)[:2])
    assert values.dtype == "float32"
    assert_close(values, [0.5, 0.5], 0, 0)


def test_a_loss_without_call_says_what_is_missing():
    class Empty(KnowledgeLoss):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty must implement `call"):
        Empty()(np.zeros((1, 2, 2, 1)))


REFUSED = {
    "no pixels": (Presence, {"top_fraction": 0}),
    "more than half": (Presence, {"top_fraction": 0.6}),
    "not a number": (Presence, {"top_fraction": float("nan")}),
    "unknown mode": (MaskSupervision, {"mode": "inside"}),
}


@pytest.mark.parametrize("make, arguments", REFUSED.values(), ids=REFUSED)
def test_refuses_bad_arguments(make, arguments):
    with pytest.raises(ValueError, match=r"(?s)Expected.*Received"):
        make(**arguments)
