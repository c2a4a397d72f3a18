"""Max poolings that stay, with LAP in front."""

import keras
import numpy as np
import pytest
from converted_models import assert_same_function, random_inputs
from keras import layers, ops
from networks import classifier, lap_names, randomise

from keras_lap import finalize, lap_layers
from keras_lap.layers import LAPooling2D, score_tape
from keras_lap.surgery import Lap, Own, Rewrite, Rule, convert, plan, register_rule
from keras_lap.surgery.to_standard import to_standard

pytestmark = pytest.mark.torch_suffices


def network(pooling, *padding):
    inputs = keras.Input((9, 9, 2))
    x = layers.Conv2D(3, 3, name="conv")(inputs)
    for layer in (*padding, pooling):
        x = layer(x)
    return keras.Model(inputs, x)


POOLINGS = {
    "valid": [layers.MaxPooling2D(2, name="pool")],
    "same": [layers.MaxPooling2D(3, strides=2, padding="same", name="pool")],
    "zeros": [
        layers.MaxPooling2D(3, strides=2, name="pool"),
        layers.ZeroPadding2D(((1, 0), (0, 1)), name="pad"),
    ],
    "global": [layers.GlobalMaxPooling2D(keepdims=True, name="pool")],
}


@pytest.mark.parametrize("parts", POOLINGS.values(), ids=POOLINGS)
def test_the_pooling_takes_the_largest_of_gated_features(parts, rng):
    model = randomise(network(*parts), rng)
    converted = convert(model, keep_max=True, concepts=1, initial_score=0.5)
    assert lap_names(converted) == ["pool_lap"]
    assert_same_function(converted, model, rng)
    (lap,) = lap_layers(converted)
    lap.gate.assign(1)
    lap.head.logits.kernel.assign(rng.normal(size=lap.head.logits.kernel.shape))
    x = random_inputs(model, rng)
    with score_tape() as records:
        y = converted(x)
    features = model.get_layer("conv")(x)
    assert records[0].attention.shape[:3] == features.shape[:3]
    expected = features * ops.cast(records[0].attention, features.dtype)
    for name in ("pad", "pool"):
        if name in [layer.name for layer in model.layers]:
            expected = model.get_layer(name)(expected)
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (y, expected)), rtol=1e-5)
    final = to_standard(finalize(converted))
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (final(x), y)), rtol=1e-5)


def test_what_else_is_pooled_is_replaced(rng):
    x = inputs = keras.Input((16, 16, 2))
    x = layers.MaxPooling2D(1, strides=2, name="single")(x)
    x = layers.AveragePooling2D(2, name="mean")(x)
    x = layers.MaxPooling2D(name="largest")(x)
    made = plan(classifier(inputs, x), keep_max=True)
    assert {row.layer: row.action for row in made.rows} == {
        "single": "LAP in its place",
        "mean": "LAP in its place",
        "largest": "LAP in front",
        "head": "LAP in its place",
    }
    (row,) = (row for row in made.rows if row.layer == "largest")
    assert (row.lap, row.window, row.stride) == ("largest_lap", (1, 1), (1, 1))
    assert "in front: largest_lap" in str(made)
    before, after = made.estimate().before, made.estimate().after
    converted = convert(made.model, made)
    added = converted.count_params() - made.model.count_params()
    assert after.parameters - before.parameters == added


class Largest(layers.MaxPooling2D):
    """A max pooling of one's own."""


class LargestRule(Rule):
    """Puts LAP in the place of such a pooling, or behind it."""

    def __init__(self, behind):
        self.behind = behind

    def matches(self, layer):
        return type(layer) is Largest

    def rewrite(self, layer, graph, stays):
        windows = {"pool_size": 1} if self.behind else {"pool_size": layer.pool_size}
        lap = Lap(LAPooling2D, layer, {"name": "largest_lap", "base": "max", **windows})
        return Rewrite((Own(layer), lap) if self.behind else (lap,))


@pytest.mark.parametrize("behind", [True, False])
def test_rules_of_ones_own(behind, restored_rules, rng):
    register_rule(LargestRule(behind))
    model = network(Largest(2, name="pool"))
    converted = convert(model, keep_max=True)
    assert lap_layers(converted)[0].pool_size == (1, 1)
    assert_same_function(converted, model, rng)
    # Only what keeps a pooling needs a gate.
    made = plan(model, gating=None)
    action = "LAP behind" if behind else "LAP in its place"
    assert [row.action for row in made.rows] == [action]


def test_without_a_gate_nothing_would_be_changed():
    model = network(layers.MaxPooling2D(name="pool"))
    message = r"for \['pool'\]. Pass keep_max=False"
    with pytest.raises(ValueError, match=message):
        plan(model, keep_max=True, gating=None)
    made = plan(model, keep_max=True)
    with pytest.raises(ValueError, match=message):
        made.set("pool", gating=None)
    assert lap_names(convert(model, made)) == ["pool_lap"]
    with pytest.raises(ValueError, match="that LAP can take the place of"):
        convert(model, plan(model, keep_max=True, gating=None, skip="pool"))


@pytest.mark.parametrize("keep_max", [True, False])
@pytest.mark.parametrize("parts", [POOLINGS["valid"], POOLINGS["zeros"]], ids=len)
def test_what_is_kept_is_not_converted_again(parts, keep_max, rng):
    converted = convert(network(*parts), keep_max=True)
    assert [layer.name for layer in converted.layers][-len(parts) :] == [
        layer.name for layer in reversed(parts)
    ]
    (row,) = plan(converted, keep_max=keep_max).rows
    assert (row.layer, row.reason) == ("pool", "it has LAP in front of it already")
