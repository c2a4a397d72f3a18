"""What is absent is nowhere in the last layer: `Absence`."""

import json

import keras
import numpy as np
import pytest
from autodiff import gradients
from injection_problem import (
    ALLOWED,
    CLASSES,
    SAMPLES,
    as_float64,
    first,
    fit,
    make_model,
    own_losses,
)
from keras import ops
from knowledge_oracles import absence
from numeric_gradients import numeric_gradient
from step_options import EAGER, GRAPH
from tolerances import assert_close, tolerance

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.layers import score_tape
from keras_lap.losses import Absence, SupervisedLayer

pytestmark = pytest.mark.jax_too

pytest_plugins = ["injection_problem"]

KNOWN = np.array([[1, 0, 0], [0, -1, 1], [0, 0, 0], [-1, 1, 1]])
LOSSES = {
    "labels": Absence(),
    "attributes": Absence("concepts", top_fraction=0.33),
    "half of the pixels": Absence(top_fraction=0.5),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
every_size = pytest.mark.parametrize("size", [(5, 4), (1, 1)])


def supervised(loss, logits):
    return SupervisedLayer(logits, knowledge={loss.known_by: KNOWN})


def some_logits(rng, size):
    return rng.normal(scale=2, size=(*KNOWN.shape[:1], *size, KNOWN.shape[1]))


@every_loss
@every_size
@pytest.mark.torch_suffices
def test_equals_the_oracle(rng, loss, size):
    logits = some_logits(rng, size)
    actual = loss([supervised(loss, logits)])
    assert keras.backend.standardize_dtype(actual.dtype) == "float32"
    assert_close(actual, absence(loss, logits, KNOWN), **tolerance("float32", 20))
    # Nothing is absent in the last sample.
    assert_close(actual[3], 0, 0, 0)


@every_loss
@pytest.mark.slow_on_jax
def test_gradient_equals_differences(rng, loss):
    logits = some_logits(rng, (5, 4))
    found = gradients(
        lambda given: loss.call([supervised(loss, given["z"])]), {"z": logits}
    )
    expected = numeric_gradient(lambda z: np.sum(absence(loss, z, KNOWN)), logits)
    assert_close(found["z"], expected, 1e-9, 1e-9)


@pytest.mark.torch_suffices
def test_earlier_layers_do_not_matter(rng):
    loss = Absence()
    deep, *shallow = (supervised(loss, some_logits(rng, (3, 3))) for _ in range(3))
    assert_close(loss([*shallow, deep]), loss([deep]), 0, 0)


@pytest.mark.torch_suffices
def test_a_last_layer_of_one_concept_does_not_hide_those_of_several(rng):
    loss, logits = Absence(), some_logits(rng, (3, 3))
    union = SupervisedLayer(logits[..., :1], knowledge={"present": KNOWN[:, :1]})
    several = supervised(loss, logits)
    assert_close(loss([several, union]), loss([several]), 0, 0)
    assert_close(
        loss([union]),
        absence(loss, logits[..., :1], KNOWN[:, :1]),
        **tolerance("float32", 20),
    )


@pytest.mark.parametrize("dtype", ["bool", "int32", "float64"])
def test_knowledge_of_any_dtype(rng, dtype):
    loss, logits = Absence(), some_logits(rng, (3, 3))
    known = ops.cast(KNOWN > 0, dtype)
    actual = loss([SupervisedLayer(logits, knowledge={"present": known})])
    assert_close(actual, absence(loss, logits, KNOWN > 0), **tolerance("float32", 20))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.torch_suffices
def test_half_precision_is_computed_in_float32(rng, dtype):
    loss, logits = Absence(), ops.cast(some_logits(rng, (4, 4)), dtype)
    exact = loss([supervised(loss, ops.cast(logits, "float32"))])
    assert_close(loss([supervised(loss, logits)]), exact, 0, 0)


def test_survives_serialisation():
    loss = Absence("concepts", top_fraction=0.2, name="gone")
    text = json.dumps(keras.saving.serialize_keras_object(loss))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(copy) is Absence
    assert copy.get_config() == loss.get_config()
    assert copy.needs == ("concepts",)
    assert Absence().name == "absence"


@pytest.mark.parametrize(
    "arguments, received",
    [
        ({"known_by": "mask"}, "known_by='mask'"),
        ({"top_fraction": 0}, "top_fraction=0"),
        ({"top_fraction": 0.6}, "top_fraction=0.6"),
    ],
)
def test_refuses_bad_arguments(arguments, received):
    with pytest.raises(ValueError, match=f"Expected.*Received: {received}"):
        Absence(**arguments)


@pytest.mark.parametrize("options", [EAGER, GRAPH], ids=str)
@pytest.mark.slow_on_jax
def test_is_a_term_in_training(x, label, rng, options):
    model = make_model(**options)
    head = model.layers[-2].head
    head.set_weights([rng.normal(size=w.shape) for w in head.get_weights()])
    concepts = np.where(rng.random((SAMPLES, CLASSES)) < 0.3, -1, label[:, None] > 1)
    targets = {"label": label, "concepts": concepts}
    terms = [Absence(), Absence("concepts", name="by_attributes")]
    logs = first(fit(model, x, targets, [KnowledgeInjection(terms, weights=[3, 2])]))
    with score_tape() as records:
        model(x, training=False)
    logits = as_float64(records[-1].logits)
    expected = [
        absence(term, logits, known).mean()
        for term, known in zip(terms, (np.eye(CLASSES)[label], concepts), strict=True)
    ]
    assert min(expected) > 0.1
    assert_close([logs[term.name] for term in terms], expected, **ALLOWED)
    whole = own_losses(model, x, label).mean() + np.dot([3, 2], expected)
    assert_close(logs["loss"], whole, **ALLOWED)
