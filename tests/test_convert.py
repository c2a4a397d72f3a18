"""`convert` changes nothing but what it says; `lap_layers` finds what it put in."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops
from networks import classifier, lap_names, randomise
from tolerances import assert_close

import keras_lap
from keras_lap.layers import LAPooling2D, score_tape
from keras_lap.surgery import convert, lap_layers

TOLERANCE = {"rtol": 1e-5, "atol": 2e-6}


def random_inputs(model, rng, spatial=23):
    def array(tensor):
        shape = [2, *(size or spatial for size in tensor.shape[1:])]
        return rng.normal(size=shape).astype(tensor.dtype)

    sequential = isinstance(model, keras.Sequential)
    structure = model.inputs[0] if sequential else model.input
    return keras.tree.map_structure(array, structure)


def assert_same_function(converted, model, rng, spatial=23, **tolerance):
    inputs = random_inputs(model, rng, spatial)
    actual, expected = (keras.tree.flatten(m(inputs)) for m in (converted, model))
    for one, other in zip(actual, expected, strict=True):
        assert_close(one, other, **{**TOLERANCE, **tolerance})


def small_model():
    x = inputs = keras.Input((24, 24, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    return classifier(inputs, layers.Conv2D(6, 3, name="last")(x))


# Small graphs at random.


class RandomGraph:
    """Draws a Functional model of convolutions, poolings and everything around."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.shared = layers.Conv2D(4, 3, padding="same", name="shared")
        self.shared_pool = layers.MaxPooling2D(3, strides=1, padding="same")

    def model(self):
        size = tuple(int(n) for n in self.rng.integers(17, 32, 2))
        x = inputs = keras.Input((*size, 3))
        x = layers.Conv2D(4, 3, name="stem")(x)
        blocks = [
            self.pooling,
            self.padded_pooling,
            self.convolution,
            self.residual,
            self.branches,
            self.gate,
            self.nested,
            self.twice,
        ]
        for i in self.rng.permutation(len(blocks))[:5]:
            x = blocks[i](x)
        x = ops.relu(x * 2.0)
        head = self.pick(
            layers.GlobalAveragePooling2D(),
            layers.GlobalMaxPooling2D(keepdims=True),
        )
        return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(head(x))))

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def padding(self, x):
        return "same" if min(x.shape[1:3]) < 4 else self.pick("same", "valid")

    def pooling(self, x):
        kind = self.pick(layers.MaxPooling2D, layers.AveragePooling2D)
        size, strides = self.rng.integers(1, 4, 2).tolist()
        return kind(size, strides=strides, padding=self.padding(x))(x)

    def padded_pooling(self, x):
        x = layers.ZeroPadding2D(self.pick(1, 2, ((0, 1), (1, 0))))(x)
        y = self.pooling(x)
        if self.pick(True, False):
            return y
        return y + layers.Dense(1)(layers.GlobalMaxPooling2D(keepdims=True)(x))

    def convolution(self, x):
        kind = self.pick(layers.Conv2D, layers.SeparableConv2D)
        kernel = int(self.rng.integers(1, 5))
        x = kind(4, kernel, strides=2, padding=self.padding(x))(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    def residual(self, x):
        short = layers.Conv2D(6, 1, strides=2, use_bias=False)(x)
        x = layers.Conv2D(4, 1, strides=2)(x)
        x = layers.Conv2D(6, 3, padding="same", activation="tanh")(x)
        return layers.Conv2D(4, 1)(layers.Add()([x, short]))

    def branches(self, x):
        left = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        right = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
        even = layers.AveragePooling2D(2, strides=1, padding="same")(left)
        return layers.Conv2D(4, 1)(layers.Concatenate()([left, right, even]))

    def gate(self, x):
        gate = layers.GlobalAveragePooling2D(keepdims=self.pick(True, False))(x)
        gate = layers.Reshape((1, 1, 4))(layers.Dense(4, activation="sigmoid")(gate))
        return layers.Multiply()([x, gate])

    def nested(self, x):
        inner = keras.Sequential(
            [layers.MaxPooling2D(2), layers.BatchNormalization()], name="inner"
        )
        y = inputs = keras.Input((None, None, 4))
        y = inner(y)
        y = layers.Conv2D(4, self.pick(1, 2), strides=2, padding="same")(y)
        outer = keras.Model(inputs, y, name="outer")
        return outer(x, training=False)

    def twice(self, x):
        x = self.shared_pool(self.shared(x))
        return self.shared_pool(self.shared(x))


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs(seed, rng):
    model = randomise(RandomGraph(seed).model(), rng)
    for where in ("pooling", "all"):
        converted = convert(model, where=where)
        assert_same_function(converted, model, rng)
        assert len(lap_layers(converted)) >= 1


@st.composite
def strided_convolutions(draw):
    strides = draw(st.sampled_from([(2, 2), (3, 3), (4, 4)]))
    kind = draw(
        st.sampled_from([layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D])
    )
    config = {"filters": 3}
    if kind is layers.Conv2D:
        strides = draw(st.sampled_from([strides, (1, 2), (3, 1), (2, 3)]))
    else:
        # Keras has no dilation beside strides for the other kind.
        config["dilation_rate"] = draw(st.integers(1, 2))
    if kind is layers.DepthwiseConv2D:
        del config["filters"]
    return kind, {
        "kernel_size": draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        "strides": strides,
        "padding": draw(st.sampled_from(["same", "valid"])),
        "activation": draw(st.sampled_from([None, "tanh"])),
        "name": "conv",
        **config,
    }


@settings(max_examples=40)
@given(
    strided_convolutions(),
    st.tuples(st.integers(7, 14), st.integers(7, 14)),
    st.booleans(),
)
def test_strided_convolutions_sample_the_same_pixels(convolution, size, known):
    kind, config = convolution
    layer = kind(**config)
    model = keras.Sequential(
        [
            keras.Input((*size, 2) if known else (None, None, 2)),
            layer,
            layers.MaxPooling2D(1, strides=2, name="pool"),
        ]
    )
    converted = convert(model, where="all")
    x = np.random.default_rng(0).normal(size=(2, *size, 2)).astype("float32")
    assert_close(converted(x), model(x), **TOLERANCE)
    axes = zip(layer.kernel_size, layer.dilation_rate, layer.strides, strict=True)
    ambiguous = layer.padding == "same" and any(
        (size - 1) * rate + 1 > 2 and stride > 1 for size, rate, stride in axes
    )
    assert ("conv_lap" in lap_names(converted)) == (known or not ambiguous)


# What is converted, and what is not.


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
    "zeros, pooling", [(2, {"pool_size": 2}), (1, {"pool_size": 3, "padding": "same"})]
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


# What is copied.


def fingerprint(model):
    """Everything of a model that conversion could have touched."""
    parts = model._flatten_layers()
    return (
        model.to_json(),
        [id(part) for part in parts],
        [(len(p._inbound_nodes), len(p._outbound_nodes)) for p in parts],
        [(w.path, w.trainable, w.numpy().tobytes()) for w in model.variables],
    )


def test_the_given_model_is_untouched(rng):
    model = randomise(RandomGraph(3).model(), rng)
    model.compile("sgd", "mse")
    before = fingerprint(model)
    converted = convert(model, where="all")
    for weight in converted.weights:
        weight.assign(weight + 1)
    converted.trainable = False
    assert fingerprint(model) == before
    assert not {id(part) for part in model._flatten_layers()} & {
        id(part) for part in converted._flatten_layers()
    }


def test_the_given_model_is_untouched_by_a_failure():
    class Stubborn(layers.Layer):
        def __init__(self, size, **kwargs):
            super().__init__(**kwargs)

        def call(self, x):
            return x

        def get_config(self):
            return {}

    x = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.MaxPooling2D()])
    model = classifier(x, Stubborn(3, name="stubborn")(inner(x)))
    before = fingerprint(model)
    with pytest.raises(ValueError, match="'stubborn' of class Stubborn"):
        convert(model)
    assert fingerprint(model) == before


def test_names_flags_policies_and_regularisers_are_kept():
    x = inputs = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(
        4,
        3,
        kernel_regularizer="l2",
        kernel_constraint="non_neg",
        dtype="mixed_float16",
        name="conv",
    )(x)
    norm = layers.BatchNormalization(name="norm")
    inner = keras.Sequential([layers.MaxPooling2D(name="pool"), norm], name="inner")
    model = classifier(inputs, inner(x))
    model.get_layer("conv").trainable = False
    norm.gamma.trainable = False
    converted = convert(model)
    assert converted.name == "net"
    assert [layer.name for layer in converted.layers] == [
        layer.name for layer in model.layers
    ]
    for name in ("conv", "inner", "logits"):
        old, new = model.get_layer(name), converted.get_layer(name)
        assert type(new) is type(old)
        assert new.trainable == old.trainable
        assert [w.path for w in new.weights if "pool" not in w.path] == [
            w.path for w in old.weights
        ]
    conv = converted.get_layer("conv")
    assert conv.get_config() == model.get_layer("conv").get_config()
    copied_norm = converted.get_layer("inner").get_layer("norm")
    assert [w.trainable for w in copied_norm.weights] == [False, True, False, False]
    pool = converted.get_layer("inner").get_layer("pool")
    assert pool.trainable
    assert pool.dtype_policy == keras.DTypePolicy("float32")
    assert not converted.compiled


@pytest.mark.parametrize("frozen", ["inner", "outer"])
def test_frozen_models_stay_frozen_except_for_what_is_new(frozen, rng):
    base = small_model()
    x = keras.Input((24, 24, 3))
    model = randomise(keras.Model(x, layers.Dense(2)(base(x, training=False))), rng)
    if frozen == "outer":
        model.trainable = False
        base.trainable = True
    base.get_layer("norm").trainable = False
    base.trainable = frozen != "inner"
    base.get_layer("last").trainable = True
    converted = convert(model)
    copied = converted.get_layer("net")
    assert (converted.trainable, copied.trainable) == (True, base.trainable)
    for name in ("conv", "norm", "last", "logits"):
        assert copied.get_layer(name).trainable == base.get_layer(name).trainable
    assert all(layer.trainable for layer in lap_layers(converted))
    assert not any(layer.gate.trainable for layer in lap_layers(converted))
    new = [w.path for layer in lap_layers(converted) for w in layer.trainable_weights]
    kept = [w.path for w in model.trainable_weights]
    assert {w.path for w in converted.trainable_weights} == {*new, *kept}
    assert len(converted.trainable_weights) == len(new) + len(kept) > 0
    assert_same_function(converted, model, rng)


class Scale(layers.Layer):
    """A custom layer, not registered, with a weight and a layer inside."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units)

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.scale = self.add_weight(name="scale", initializer="ones")

    def call(self, inputs):
        return self.scale * self.dense(inputs)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


FACTOR = 3.0


def test_layers_with_state_of_their_own(rng):
    adapted = layers.Normalization()
    adapted.adapt(rng.normal(3, 2, (10, 8, 8, 3)))
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Lambda(lambda x: FACTOR * x)(adapted(x))
    x = Scale(4, name="scale")(layers.MaxPooling2D()(x))
    model = classifier(inputs, layers.Dropout(0.5)(x))
    model.get_layer("scale").scale.assign(0.3)
    assert_same_function(convert(model), model, rng)


def test_sequential_models_stay_sequential(rng):
    inner = keras.Sequential([layers.MaxPooling2D(), layers.ReLU()])
    model = keras.Sequential(
        [
            keras.Input((15, 15, 3)),
            layers.Conv2D(4, 3, strides=2, padding="same", name="conv"),
            layers.ZeroPadding2D(1, name="zeros"),
            layers.MaxPooling2D(3, strides=1),
            inner,
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    converted = convert(randomise(model, rng), where="all")
    assert isinstance(converted, keras.Sequential)
    assert len(converted.layers) == len(model.layers) + 2
    assert_same_function(converted, model, rng)


def test_subclasses_that_only_train_otherwise_keep_their_class(rng):
    class Own(keras.Model):
        def train_step(self, data):
            return {"loss": 0.0}

    base = small_model()
    assert type(convert(Own(base.input, base.output))) is Own

    class WithOwnConstructor(keras.Model):
        def __init__(self, classes):
            x = keras.Input((8, 8, 3))
            y = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(x))
            super().__init__(x, layers.Dense(classes)(y))

    model = WithOwnConstructor(4)
    assert_same_function(convert(model), model, rng)


# Options.


def test_layer_options():
    options = {
        "hidden": 6,
        "weighting": "softmax",
        "gating": None,
        "alpha": 3.0,
        "scores": "noisy_or",
        "score_activation": "ramp",
        "initial_score": 0.5,
        "detach_scores": True,
        "score_gain": 3.0,
    }
    for layer in lap_layers(convert(small_model(), **options)):
        assert {name: getattr(layer, name) for name in options} == options
    assert lap_layers(convert(small_model()))[0].initial_score == 0.95


def test_scores_learn_as_the_network_does_unless_they_are_detached():
    model = small_model()
    first, second = (layer.name for layer in lap_layers(convert(model)))

    def gains(options, changes):
        plan = keras_lap.plan(model, **options).set(first, **changes)
        found = {
            layer.name: layer.score_gain for layer in lap_layers(convert(model, plan))
        }
        return found[first], found[second]

    attached, detached = {"detach_scores": False}, {"detach_scores": True}
    assert gains(attached, detached) == (10, 1)
    assert gains(detached, attached) == (1, 10)
    assert gains({"score_gain": 3}, detached) == (3, 3)
    assert gains({"score_gain": 3}, {"score_gain": None}) == (1, 3)


def test_skipped_layers_stay(rng):
    model = small_model()
    converted = convert(model, skip=["pool"])
    assert isinstance(converted.get_layer("pool"), layers.MaxPooling2D)
    assert "pool" not in [layer.name for layer in lap_layers(converted)]
    assert_same_function(converted, model, rng)
    assert lap_names(convert(model, skip="pool")) == lap_names(converted)


def test_skipped_zero_padding_is_not_absorbed(rng):
    x = inputs = keras.Input((12, 12, 3))
    x = layers.ZeroPadding2D(1, name="zeros")(x)
    model = classifier(inputs, layers.MaxPooling2D(3, strides=2, name="pool")(x))
    converted = convert(model, skip="zeros")
    assert isinstance(converted.get_layer("zeros"), layers.ZeroPadding2D)
    assert converted.get_layer("pool").padding == "valid"
    assert_same_function(converted, model, rng)


def test_lap_is_not_named_after_a_skipped_sibling(rng):
    inputs = keras.Input((8, 8, 3))
    branches = [
        layers.Conv2D(2, 1, strides=2, name=name)(inputs) for name in ("a", "b", "c")
    ]
    model = classifier(inputs, layers.Concatenate()(branches))
    converted = convert(model, where="all", skip=["a"])
    assert lap_names(converted) == ["b_lap", "head"]
    assert converted.get_layer("a").strides == (2, 2)
    assert_same_function(converted, model, rng)


# Errors.


def test_models_without_a_graph():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.pool = layers.MaxPooling2D()

        def call(self, x):
            return self.pool(x)

    with pytest.raises(ValueError, match=r"class Subclassed.*keras.Model\(x, model"):
        convert(Subclassed())
    with pytest.raises(ValueError, match="build"):
        convert(keras.Sequential([layers.MaxPooling2D()]))
    with pytest.raises(TypeError, match="model of type int"):
        convert(3)
    x = keras.Input((8, 8, 3))
    wrapped = keras.Model(x, Subclassed().call(x))
    assert len(lap_layers(convert(wrapped))) == 1


def test_layers_out_of_reach_are_named():
    x = keras.Input((4, 8, 8, 3))
    pool = layers.TimeDistributed(layers.MaxPooling2D(name="pool"), name="frames")
    with pytest.raises(ValueError, match=r"pool \(MaxPooling2D\): .* inside 'frames'"):
        convert(keras.Model(x, pool(x)))


def test_nothing_to_convert():
    x = inputs = keras.Input((8, 8, 3))
    x = layers.MaxPooling2D(3, strides=1, name="smooth")(x)
    x = layers.Conv2D(2, 3, strides=2, name="conv")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    model = keras.Model(inputs, x * gate)
    with pytest.raises(ValueError) as error:
        convert(model)
    message = str(error.value)
    assert "smooth (MaxPooling2D): its stride is 1" in message
    assert 'conv (Conv2D): it is converted only with where="all"' in message
    assert "squeeze (GlobalAveragePooling2D): it gates a feature map" in message
    with pytest.raises(ValueError, match=r"LAP layers already: \['pool'\]"):
        convert(keras.Sequential([inputs, LAPooling2D(2, name="pool")]))
    with pytest.raises(ValueError, match="no 2D pooling"):
        convert(keras.Sequential([keras.Input((3,)), layers.Dense(2)]))


def test_plans_and_options():
    model, other = small_model(), small_model()
    plan = keras_lap.plan(model).skip("pool")
    assert lap_names(convert(model, plan)) == ["head"]
    with pytest.raises(ValueError, match=r"for the given model.*keras_lap\.plan"):
        convert(other, plan)
    with pytest.raises(TypeError, match=r"not both.*a plan and skip, where"):
        convert(model, plan, where="all", skip="pool")
    stack = keras.Sequential([inputs for inputs in (keras.Input((8, 8, 3)),)])
    stack.add(layers.MaxPooling2D())
    stack.add(layers.MaxPooling2D())
    stale = keras_lap.plan(stack)
    stack.pop()
    with pytest.raises(ValueError, match="as it is now"):
        convert(stack, stale)
    with pytest.raises(TypeError, match="plan='all' of type str"):
        convert(model, "all")
    with pytest.raises(ValueError, match="compile='yes'"):
        convert(model, compile="yes")
    with pytest.raises(ValueError, match=r"pool.*asked to be skipped"):
        convert(model, plan.skip("head"))


# What the result can do.


def test_save_and_reload_in_a_fresh_process(tmp_path, rng):
    model = randomise(RandomGraph(1).model(), rng)
    converted = convert(model, where="all", hidden=3)
    for layer in lap_layers(converted):
        layer.gate.assign(0.5)
    x = random_inputs(model, rng)
    converted.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", x)
    script = (
        "import sys, keras, keras_lap, numpy as np\n"
        "model = keras.models.load_model(sys.argv[1] + '/model.keras')\n"
        "y = model.predict(np.load(sys.argv[1] + '/x.npy'), verbose=0)\n"
        "np.save(sys.argv[1] + '/y.npy', y)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    y = np.load(tmp_path / "y.npy")
    np.testing.assert_array_equal(y, converted.predict(x, verbose=0))


def test_the_open_gate_lets_gradients_reach_the_scores(rng):
    import tensorflow as tf

    converted = convert(small_model(), where="all")
    x = random_inputs(converted, rng)

    def largest_gradients():
        kernels = [layer.head.logits.kernel for layer in lap_layers(converted)]
        with tf.GradientTape() as tape:
            loss = ops.sum(ops.square(converted(x)))
        gradients = tape.gradient(loss, [kernel.value for kernel in kernels])
        return [float(ops.max(ops.abs(gradient))) for gradient in gradients]

    assert largest_gradients() == [0, 0, 0]
    for layer in lap_layers(converted):
        layer.gate.assign(0.5)
    assert min(largest_gradients()) > 0


# Finding the layers.


def test_lap_layers_in_order_of_depth():
    class Block(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.pool = LAPooling2D(2, name="in_block")

        def call(self, x):
            return self.pool(x)

    late = LAPooling2D(2, name="late")
    x = keras.Input((16, 16, 2))
    inner = keras.Sequential([LAPooling2D(1, name="in_nested"), Block()])
    short = LAPooling2D(2, name="short")(x)
    deep = inner(layers.Conv2D(2, 1)(x))
    model = keras.Model(x, late(late(short + deep)))
    assert lap_names(model) == ["short", "in_nested", "in_block", "late"]
    with pytest.raises(TypeError, match="model of type NoneType"):
        lap_layers(None)
