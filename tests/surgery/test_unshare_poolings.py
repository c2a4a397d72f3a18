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


def several_models():
    """One pooling in two nested models and the outer one."""
    pool = layers.AveragePooling2D(2, name="pool")

    def block(name):
        parts = [keras.Input((None, None, 4)), layers.Conv2D(4, 1), pool]
        return keras.Sequential(parts, name=name)

    inputs = keras.Input((16, 16, 4))
    return classifier(inputs, pool(block("two")(block("one")(inputs))))


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
        (several_depths, ["pool", "pool_call2"]),
        (several_heads, ["pool", "pool_call2"]),
        (several_models, ["one/pool", "two/pool_call2", "pool_call3", "head"]),
    ],
)
def test_each_has_a_row_of_its_own(network, expected):
    model = network()
    plan = keras_lap.plan(model)
    assert [row.lap for row in plan.rows] == expected
    assert sum(row.cost.parameters for row in plan.rows) == (
        keras_lap.convert(model).count_params() - model.count_params()
    )
    plan.skip("pool").set(expected[1], concepts=7)
    lap, *_ = keras_lap.lap_layers(keras_lap.convert(model, plan))
    assert (lap.name, lap.concepts) == ("pool_call2", 7)


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
