"""Which places of a model are converted, and which are not."""

import keras
import pytest
from backend_limits import ON_TENSORFLOW
from converted_models import assert_same_function, random_inputs, small_model
from keras import layers, ops
from networks import classifier, lap_names, randomise

from keras_lap import lap_layers
from keras_lap.layers import score_tape
from keras_lap.surgery import convert, plan


@pytest.mark.parametrize("reads_zeros", ["pooling", "two layers", "output"])
def test_zero_padding_is_absorbed_where_nothing_else_reads_it(reads_zeros, rng):
    inputs = keras.Input((9, 9, 2))
    x = layers.Conv2D(3, 3, name="conv")(inputs)
    padded = layers.ZeroPadding2D(1, name="pad")(x)
    outputs = [layers.MaxPooling2D(3, strides=2, name="pool")(padded)]
    if reads_zeros == "two layers":
        outputs.append(layers.Conv2D(2, 3)(padded))
    if reads_zeros == "output":
        outputs.append(padded)
    model = keras.Model(inputs, outputs)
    converted = convert(model)
    absorbed = reads_zeros == "pooling"
    expected = ((1, 1), (1, 1)) if absorbed else "valid"
    assert converted.get_layer("pool").padding == expected
    assert ("pad" in [layer.name for layer in converted.layers]) != absorbed
    assert_same_function(converted, model, rng)


@pytest.mark.parametrize(
    "zeros, pooling",
    [
        (2, {"pool_size": 2}),
        (1, {"pool_size": 3, "strides": 2, "padding": "same"}),
    ],
)
def test_zero_padding_stays_where_lap_cannot_add_it(zeros, pooling, rng):
    x = keras.Input((9, 9, 2))
    y = layers.AveragePooling2D(**pooling, name="pool")(layers.ZeroPadding2D(zeros)(x))
    model = keras.Model(x, y)
    converted = convert(model)
    assert converted.get_layer("pool").padding == pooling.get("padding", "valid")
    assert_same_function(converted, model, rng)


def test_convolutions_that_read_the_same_pixels_share_one_layer(rng):
    x = inputs = keras.Input((9, 9, 2))
    x = layers.Conv2D(4, 3)(x)
    one = layers.Conv2D(3, 1, strides=2, name="one")(x)
    two = layers.Conv2D(3, 1, strides=2, padding="same", name="two")(x)
    three = layers.Conv2D(3, 1, strides=3, name="three")(x)
    model = classifier(inputs, one + two)
    model = keras.Model(inputs, [model.output, three])
    converted = convert(model, where="all")
    assert lap_names(converted) == ["one_lap", "three_lap", "head"]
    with score_tape() as records:
        converted(random_inputs(model, rng))
    assert len(records) == 3
    assert converted.count_params() == model.count_params() + sum(
        layer.count_params() for layer in lap_layers(converted)
    )
    assert_same_function(converted, model, rng)


@pytest.mark.parametrize("size", [6, 1])
def test_squeeze_excite_gates_stay(size, rng):
    x = inputs = keras.Input((size, size, 4))
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    gate = layers.Conv2D(4, 1, activation="sigmoid")(gate)
    model = classifier(inputs, layers.Multiply()([x, gate]))
    assert lap_names(convert(model)) == ["head"]


@pytest.mark.parametrize("kind", ["Average", "Max"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.torch_suffices
def test_an_adaptive_pooling_to_one_pixel_is_global(kind, data_format, rng):
    def pool(size, name):
        layer = getattr(layers, f"Adaptive{kind}Pooling2D")
        return layer(size, data_format, name=name)

    x = inputs = keras.Input((5, 6, 4) if data_format == "channels_last" else (4, 5, 6))
    gate = layers.Conv2D(4, 1, data_format=data_format)(pool(1, "gate")(x))
    x = pool((3, 2), "coarse")(x * gate)
    x = layers.Flatten()(pool(1, "head")(x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    rows = {row.layer: row.reason for row in plan(model).rows}
    assert list(rows) == ["gate", "coarse", "head"]
    assert "squeeze-excite" in rows["gate"]
    assert rows["coarse"] == "its windows may differ in size"
    converted = convert(model)
    assert lap_names(converted) == ["head"]
    if ON_TENSORFLOW and kind == "Max":
        pytest.skip(
            "TensorFlow dies of the windows of Keras' AdaptiveMaxPooling2D(1), one of "
            "which is larger than the map"
        )
    assert_same_function(converted, model, rng)


def test_the_head_is_found_across_nested_models(rng):
    x = keras.Input((8, 8, 3))
    squeeze = keras.Model(x, layers.GlobalMaxPooling2D(name="squeeze")(x))
    y = keras.Input((8, 8, 3))
    pooled = keras.Model(y, layers.GlobalAveragePooling2D(name="head")(y))
    x = inputs = keras.Input((8, 8, 3))
    x = x * layers.Reshape((1, 1, 3))(squeeze(x))
    model = keras.Model(inputs, layers.Dense(4)(pooled(x)))
    converted = convert(model)
    assert lap_names(converted) == ["head"]
    assert lap_layers(converted)[0].concepts == 4
    assert_same_function(converted, model, rng)


def test_shared_layers_stay_shared(rng):
    block = keras.Sequential([keras.Input((12, 12, 2)), layers.MaxPooling2D()])
    pool = layers.AveragePooling2D(2, name="pool")
    left, right = keras.Input((12, 12, 2)), keras.Input((12, 12, 2))
    x = layers.Concatenate()([pool(block(left)), pool(block(right))])
    model = classifier([left, right], x)
    converted = convert(model)
    assert len(lap_layers(converted)) == 3
    assert_same_function(converted, model, rng)


def test_pooling_shared_by_maps_with_different_zeros(rng):
    pool = layers.MaxPooling2D(3, name="pool")
    inputs = keras.Input((12, 12, 2))
    outputs = [pool(layers.ZeroPadding2D(zeros)(inputs)) for zeros in (1, 2)]
    model = keras.Model(inputs, outputs)
    assert_same_function(convert(model), model, rng)


def test_call_arguments_are_kept(rng):
    x = inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(x, training=True)
    x = layers.MaxPooling2D()(inputs=x, training=False)
    model = randomise(classifier(inputs, x), rng)
    assert_same_function(convert(model), model, rng)


def test_nested_models_with_several_inputs_and_outputs(rng):
    a, b = keras.Input((8, 8, 2), name="a"), keras.Input((8, 8, 2), name="b")
    inner = keras.Model(
        {"a": a, "b": b}, {"sum": layers.MaxPooling2D()(a + b), "b": b}, name="inner"
    )
    x, y = keras.Input((8, 8, 2), name="x"), keras.Input((8, 8, 2), name="y")
    result = inner({"b": x, "a": ops.tanh(y)})
    outputs = {"pooled": result["sum"], "more": [result["b"], x]}
    model = keras.Model([x, y], outputs)
    converted = convert(model)
    assert set(converted.output) == {"pooled", "more"}
    assert_same_function(converted, model, rng)


@pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict")
@pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match")
def test_nested_models_made_from_dicts_of_other_names(rng):
    a, b = keras.Input((8, 8, 2), name="a"), keras.Input((4, 4, 2), name="b")
    inner = keras.Model({"b": a, "a": b}, layers.MaxPooling2D(name="pool")(a) + b)
    x, y = keras.Input((16, 16, 2), name="x"), keras.Input((4, 4, 2), name="y")
    halved = layers.MaxPooling2D(name="first")(x)
    # Keras takes the values in the order of their keys, and no more than it needs.
    result = inner(training=False, inputs={"a": y, "b": halved, "c": x})
    model = keras.Model([x, y], result)
    rows = plan(model).rows
    assert [(row.lap.rpartition("/")[2], row.stage) for row in rows] == [
        ("first", 0),
        ("pool", 1),
    ]
    assert_same_function(convert(model), model, rng)


ACTIVATIONS = {
    "relu": ({"activation": layers.ReLU()}, True),
    "shared": ({"activation": layers.PReLU(shared_axes=[1, 2])}, True),
    "per pixel": ({"activation": layers.PReLU()}, False),
    "axis": ({"activation": layers.Softmax(axis=1)}, False),
    "last": ({"activation": "softmax"}, True),
    "first": ({"activation": "softmax", "data_format": "channels_first"}, False),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_that_look_beyond_a_pixel_stay(name):
    options, is_converted = ACTIVATIONS[name]
    x = keras.Input((7, 7, 7))
    y = layers.SeparableConv2D(2, 3, strides=2, name="conv", **options)(x)
    row, _ = plan(classifier(x, y), where="all").rows
    assert (row.lap is not None, "activation" in row.reason) == (
        is_converted,
        not is_converted,
    )


def test_outputs_keep_their_names():
    x = keras.Input((9, 9, 2))
    y = layers.Conv2D(2, 3, strides=2, name="conv")(x)
    model = keras.Model(x, [y, layers.GlobalAveragePooling2D(name="head")(y)])
    converted = convert(model, where="all")
    assert lap_names(converted) == ["head"]
    assert converted.output_names == model.output_names


def test_channels_first(rng):
    options = {"data_format": "channels_first"}
    x = inputs = keras.Input((3, 9, 11))
    x = layers.ZeroPadding2D(1, **options)(x)
    x = layers.AveragePooling2D(3, strides=2, name="pool", **options)(x)
    x = layers.GlobalAveragePooling2D(name="head", **options)(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    converted = convert(model)
    assert lap_names(converted) == ["pool", "head"]
    assert_same_function(converted, model, rng)


def test_mixed_precision(rng):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = randomise(small_model(), rng)
    finally:
        keras.config.set_dtype_policy("float32")
    converted = convert(model, where="all")
    assert {layer.dtype_policy.name for layer in converted.layers[1:]} == {
        "mixed_bfloat16"
    }
    assert_same_function(converted, model, rng, rtol=2e-2, atol=2e-2)


def test_new_names_make_way_for_inputs(rng):
    inputs = [keras.Input((9, 9, 2), name=name) for name in ("conv_lap", "conv_pad")]
    x = layers.Conv2D(2, 3, strides=2, padding="same", name="conv")(sum(inputs))
    model = classifier(inputs, x)
    converted = convert(model, where="all")
    assert lap_names(converted) == ["conv_lap_1", "head"]
    assert_same_function(converted, model, rng)


def test_integers_are_not_pooled_by_lap(rng):
    x = inputs = keras.Input((8, 8, 2), dtype="int32")
    x = layers.MaxPooling2D(name="pool", dtype="int32")(x)
    model = classifier(inputs, layers.Rescaling(1.0, dtype="float32")(x))
    converted = convert(model)
    assert lap_names(converted) == ["head"]
    assert_same_function(converted, model, rng)


def test_new_names_make_way_for_old_ones(rng):
    x = inputs = keras.Input((8, 8, 3))
    x = layers.ReLU(name="conv_lap")(layers.Conv2D(3, 3, strides=2, name="conv")(x))
    model = classifier(inputs, x)
    converted = convert(model, where="all")
    assert lap_names(converted) == ["conv_lap_1", "head"]
    assert_same_function(converted, model, rng)
