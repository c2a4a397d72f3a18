"""Poolings called where no single LAP layer could be become several."""

import keras
import pytest
from converted_models import assert_same_function
from keras import layers
from networks import classifier, lap_names

import keras_lap


def several_depths():
    """One pooling for maps of 4, 8 and 4 channels."""
    pool = layers.MaxPooling2D(2, name="pool")
    x = inputs = keras.Input((16, 16, 3))
    for channels in (4, 8, 4):
        x = pool(layers.Conv2D(channels, 1)(x))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def several_heads():
    """One global pooling for several stages."""
    pool = layers.GlobalAveragePooling2D(name="pool")
    x = inputs = keras.Input((8, 8, 3))
    pooled = [pool(x := layers.Conv2D(width, 1)(x)) for width in (4, 6)]
    return keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(pooled)))


def several_models(outermost=None):
    """One pooling in two nested models, and in the outer one if no other is given."""
    pool = layers.AveragePooling2D(2, name="pool")

    def block(name):
        parts = [keras.Input((None, None, 4)), layers.Conv2D(4, 1), pool]
        return keras.Sequential(parts, name=name)

    inputs = keras.Input((16, 16, 4))
    return classifier(inputs, (outermost or pool)(block("two")(block("one")(inputs))))


@pytest.mark.parametrize(
    "network, options",
    [
        pytest.param(several_depths, {"keep_max": True}, marks=pytest.mark.torch_too),
        pytest.param(several_heads, {}, marks=pytest.mark.jax_too),
        (several_models, {}),
    ],
)
def test_the_converted_model_works(network, options, rng, tmp_path):
    model = network()
    plan = keras_lap.plan(model, **options)
    converted = keras_lap.convert(model, plan)
    assert plan.estimate().after.parameters == converted.count_params()
    assert_same_function(converted, model, rng)
    for gate in (0, 1):
        for layer in keras_lap.lap_layers(converted):
            layer.gate.assign(gate)
        assert_same_function(keras_lap.to_standard(converted), converted, rng)
    final = keras_lap.finalize(converted)
    for each in (converted, final, keras_lap.to_standard(final)):
        each.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert_same_function(loaded, each, rng)


@pytest.mark.torch_suffices
@pytest.mark.parametrize(
    "network, expected",
    [
        (several_depths, {"pool": 5, "pool_call2": 7}),
        (several_heads, {"pool": 5, "pool_call2": 7}),
        (several_models, {"one/pool": 5, "two/pool": 7, "pool": 5, "head": 5}),
    ],
)
def test_each_has_a_row_of_its_own(network, expected):
    model = network()
    plan = keras_lap.plan(model)
    assert sum(row.cost.parameters for row in plan.rows) == (
        keras_lap.convert(model).count_params() - model.count_params()
    )
    first, second, *others = expected
    plan.set("pool", concepts=5).set(second, concepts=7)
    assert {row.lap: row.concepts for row in plan.rows} == expected
    plan.skip(second)
    assert [row.lap for row in plan.rows if row.lap] == [first, *others]


@pytest.mark.torch_suffices
def test_what_stays_is_shared_as_it_was():
    model = several_models()
    converted = keras_lap.convert(model, skip="pool")
    assert lap_names(converted) == ["head"]
    one, two = (converted.get_layer(name).get_layer("pool") for name in ("one", "two"))
    assert one is two is converted.get_layer("pool")
    plan = keras_lap.plan(several_heads()).skip("pool")
    assert [row.layer for row in plan.rows] == ["pool"]
    with pytest.raises(ValueError, match="several"):
        keras_lap.plan(two_pools(), skip="pool")


def two_pools(calls=1):
    """Two poolings of one name, which are different layers."""
    x = inputs = keras.Input((16, 16, 4))
    for name in ("one", "two"):
        pool = layers.AveragePooling2D(2, name="pool")
        for call in range(calls):
            parts = [keras.Input((None, None, 4)), pool]
            x = keras.Sequential(parts, name=f"{name}_{call}" if call else name)(x)
    return classifier(inputs, x)


def within_and_without():
    """One pooling in a nested model, there for 4 and 8 channels, and around it."""
    pool = layers.MaxPooling2D(2, name="pool")
    x = part = keras.Input((None, None, 4))
    for channels in (8, 4):
        x = layers.Conv2D(channels, 1)(pool(x))
    inputs = keras.Input((32, 32, 4))
    return classifier(inputs, keras.Model(part, x, name="part")(pool(inputs)))


@pytest.mark.torch_suffices
@pytest.mark.parametrize("address", ["part/pool", "part/pool_call3", ("pool",)])
def test_one_of_its_calls_alone_gets_lap(address, rng):
    model = within_and_without()
    converted = keras_lap.convert(model, keras_lap.plan(model).only(address))
    assert_same_function(converted, model, rng)


@pytest.mark.torch_suffices
def test_a_name_stands_for_the_calls_of_a_single_layer():
    model = several_models(outermost=layers.MaxPooling2D(2, name="pool"))
    left = {row.layer: row.lap for row in keras_lap.plan(model, skip="pool").rows}
    assert left["pool"] is None
    assert (left["one/pool"], left["two/pool"]) == ("one/pool", "two/pool")
    with pytest.raises(ValueError, match="several"):
        keras_lap.plan(two_pools(calls=2), skip="pool")


@pytest.mark.torch_suffices
def test_the_reason_of_one_that_stays_is_that_of_all():
    plan = keras_lap.plan(several_depths()).skip("pool")
    with pytest.raises(ValueError, match="'pool_call2', which stays: it was asked"):
        plan.set("pool_call2", concepts=2)


@pytest.mark.torch_suffices
def test_channels_may_come_first(rng):
    pool = layers.MaxPooling2D(2, data_format="channels_first", name="pool")
    x = inputs = keras.Input((3, 8, 8))
    for _ in range(2):
        x = pool(layers.Concatenate(axis=1)([x, x]))
    model = keras.Model(inputs, x)
    converted = keras_lap.convert(model, concepts=1)
    # The output keeps its name.
    assert lap_names(converted) == ["pool_call1", "pool"]
    assert converted.output_names == model.output_names


def test_calls_that_stay_for_several_reasons_are_told_each():
    gap = layers.GlobalAveragePooling2D(keepdims=True, name="gap")
    x = inputs = keras.Input((16, 16, 8))
    gate = layers.Conv2D(8, 1, activation="sigmoid")(gap(x))
    x = layers.Conv2D(16, 3)(layers.Multiply()([x, gate]))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(gap(x))))
    plan = keras_lap.plan(model).skip("gap_call2")
    reasons = {row.layer: row.reason for row in plan.rows}
    assert "squeeze-excite" in reasons["gap"]
    assert reasons["gap_call2"] == "it was asked to be skipped"
    with pytest.raises(ValueError, match=r"asked to be skipped\. What was left out"):
        plan.set("gap_call2", concepts=2)
