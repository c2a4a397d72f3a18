"""The layer `LAPooling2D`, and the contract it shares with the other LAP layers."""

import inspect
import json

import keras
import numpy as np
import oracle
import pytest
import tensorflow as tf
from keras import layers, ops
from tolerances import assert_close, layer_tolerance, tolerance

from keras_lap import LAPooling, LAPooling2D, la_pool
from keras_lap.layers import score_tape

CONFIGURATIONS = {
    "default": {},
    "noisy_or": {"concepts": 3, "scores": "noisy_or", "initial_score": 0.3},
    "ramp": {"score_activation": "ramp", "concepts": 2, "alpha": 0.5},
    "hidden": {"concepts": 2, "hidden": 5, "weighting": "softmax"},
    "ungated": {"gating": None},
    "features": {"scores": "features", "gating": None},
    "max base": {"base": "max"},
    "avg base": {"base": "avg", "concepts": 2, "scores": "noisy_or"},
    "first base": {"base": "first", "gating": None},
    "channels_first": {"data_format": "channels_first", "base": "avg"},
}
every_configuration = pytest.mark.parametrize(
    "options", CONFIGURATIONS.values(), ids=CONFIGURATIONS
)
CHANNELS = 4


def randomize(layer, rng):
    """Gives every weight a value of its own, positive where it must be."""
    for weight in layer.weights:
        value = rng.uniform(0.2, 0.8, weight.shape)
        if weight.name in ("kernel", "bias"):
            value = rng.normal(size=weight.shape)
        weight.assign(value)


def in_layout_of(layer, x):
    """A channels-last batch in the layout that the layer expects."""
    return np.moveaxis(x, -1, 1) if layer.data_format == "channels_first" else x


def oracle_attention(layer, record):
    """Attention from the logits of one call, in float64."""
    if layer.scores == "features":
        return np.float64(record.attention)
    z = np.float64(record.logits)
    if layer.score_activation == "sigmoid":
        s = 1 / (1 + np.exp(-z))
    else:
        s = np.clip((z + 1) / 2, 0, 1)
    return oracle.attention_scores(s, layer.scores)


class LAPoolingContract:
    """Tests for every LAP layer of images. Subclasses say how one is made."""

    def make(self, **options):
        """A layer, not yet built."""
        raise NotImplementedError

    def base_pooling(self, base, **options):
        """The layer of Keras that a base branch stands for."""
        raise NotImplementedError

    def built(self, rng, **options):
        """A layer with weights that are not those of the start, and its input."""
        layer = self.make(**options)
        x = in_layout_of(layer, rng.normal(size=(3, 7, 6, CHANNELS)).astype("float32"))
        layer.build((None, *x.shape[1:]))
        randomize(layer, rng)
        return layer, x

    @every_configuration
    def test_configuration_survives_json(self, options):
        layer = self.make(**options, name="pool", dtype="mixed_bfloat16")
        text = json.dumps(keras.saving.serialize_keras_object(layer))
        copy = keras.saving.deserialize_keras_object(json.loads(text))
        assert type(copy) is type(layer)
        assert copy.get_config() == layer.get_config()
        assert copy.dtype_policy.name == "mixed_bfloat16"
        parameters = inspect.signature(type(layer).__init__).parameters
        for name in set(parameters) - {"self", "kwargs"}:
            assert getattr(copy, name) == layer.get_config()[name]
        for name, value in options.items():
            assert getattr(copy, name) == value

    @every_configuration
    def test_copy_from_its_configuration_computes_the_same(self, rng, options):
        layer, x = self.built(rng, **options)
        copy = type(layer).from_config(layer.get_config())
        copy.build(x.shape)
        copy.set_weights(layer.get_weights())
        np.testing.assert_array_equal(copy(x), layer(x))

    def test_reloads_bit_identical_in_a_fresh_process(self, rng, call_in_fresh_process):
        x = rng.normal(size=(3, 7, 6, CHANNELS)).astype("float32")
        inputs = keras.Input((None, None, CHANNELS))
        outputs = {}
        for name, options in CONFIGURATIONS.items():
            layer = self.make(**options)
            first = layer.data_format == "channels_first"
            outputs[name] = layer(
                layers.Permute((3, 1, 2))(inputs) if first else inputs
            )
        model = keras.Model(inputs, outputs)
        randomize(model, rng)
        expected = model(x)
        reloaded = call_in_fresh_process(model, x)
        assert reloaded.keys() == expected.keys()
        for name in expected:
            np.testing.assert_array_equal(reloaded[name], expected[name])

    @pytest.mark.parametrize(
        "name", ["default", "noisy_or", "ramp", "hidden", "ungated", "features"]
    )
    def test_equals_the_oracle(self, rng, name):
        layer, x = self.built(rng, **CONFIGURATIONS[name])
        with score_tape() as records:
            y = layer(x)
        expected = oracle.la_pool(
            x,
            oracle_attention(layer, records[0]),
            float(layer.sharpness),
            layer.pool_size,
            layer.strides,
            layer.padding,
            weighting=layer.weighting,
            gating=layer.gating,
        )
        allowed = tolerance("float32", 42, np.abs(x).max())
        assert_close(ops.reshape(y, expected.shape), expected, **allowed)

    @every_configuration
    def test_output_shape_is_the_computed_one(self, rng, options):
        layer, x = self.built(rng, **options)
        assert layer.compute_output_shape(x.shape) == tuple(layer(x).shape)
        assert layer(keras.Input(x.shape[1:])).shape == (None, *layer(x).shape[1:])

    @every_configuration
    def test_unknown_sizes(self, rng, options):
        layer, x = self.built(rng, **options)
        first = layer.data_format == "channels_first"
        sizes = (CHANNELS, None, None) if first else (None, None, CHANNELS)
        unknown = (None, *sizes)
        assert layer.compute_output_shape(unknown) == layer(keras.Input(sizes)).shape

        @tf.function(input_signature=[tf.TensorSpec(unknown, "float32")])
        def traced(x):
            return layer(x)

        smaller = x[:2, :, 2:, 1:] if first else x[:2, 2:, 1:]
        for part in (x, smaller):
            y = layer(part)
            assert layer.compute_output_shape(part.shape) == tuple(y.shape)
            assert_close(traced(part), y, **tolerance("float32", 42, np.abs(x).max()))

    @pytest.mark.parametrize(
        "options", [{}, {"base": "avg", "concepts": 2}, CONFIGURATIONS["features"]]
    )
    def test_channels_first_equals_channels_last(self, rng, options):
        last, x = self.built(rng, **options)
        first = self.make(**options, data_format="channels_first")
        first.build(in_layout_of(first, x).shape)
        first.set_weights(last.get_weights())
        expected = ops.convert_to_numpy(last(x))
        if expected.ndim == 4:
            expected = in_layout_of(first, expected)
        np.testing.assert_array_equal(first(in_layout_of(first, x)), expected)

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    @every_configuration
    def test_mixed_precision(self, rng, dtype, options):
        layer, x = self.built(rng, **options)
        mixed = self.make(**options, dtype=f"mixed_{dtype}")
        mixed.build(x.shape)
        mixed.set_weights(layer.get_weights())
        y = mixed(x)
        assert {weight.dtype for weight in mixed.weights} == {"float32"}
        if mixed.head is not None:
            assert mixed.head.dtype_policy == mixed.dtype_policy
        assert keras.backend.standardize_dtype(y.dtype) == dtype
        assert_close(y, layer(x), **layer_tolerance(dtype, np.abs(x).max()))

    @pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64"])
    @pytest.mark.parametrize("gate", [0.3003, 1.0])
    def test_alpha_and_gate_are_not_rounded_to_the_compute_dtype(
        self, rng, dtype, gate
    ):
        options = {"scores": "features", "gating": None, "base": "avg"}
        layer = self.make(**options, alpha=20.055, dtype=dtype)
        x = ops.cast(rng.normal(size=(2, 7, 6, CHANNELS)), layer.compute_dtype)
        layer.build(x.shape)
        layer.gate.assign(gate)
        sharpness = np.logaddexp(0, np.float64(layer.raw_alpha))
        precision = 1e-14 if dtype == "float64" else 1e-7
        assert float(layer.sharpness) == pytest.approx(sharpness, rel=precision)
        y = layer(x)
        expected = la_pool(
            x,
            x,
            float(layer.sharpness),
            layer.pool_size,
            layer.strides,
            layer.padding,
            gating=None,
            base="avg",
            base_gate=float(layer.gate),
        )
        expected = ops.reshape(expected, y.shape)
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (y, expected)))

    @pytest.mark.parametrize(
        "options, trainable, fixed",
        [
            ({}, 1 + CHANNELS + 1, 0),
            ({"concepts": 3, "scores": "noisy_or"}, 1 + 3 * CHANNELS + 3, 0),
            # Kernel, scale and shift of the norm, kernel and bias; moving statistics.
            ({"concepts": 2, "hidden": 5}, 1 + 5 * CHANNELS + 10 + 5 * 2 + 2, 10),
            ({"base": "max"}, 1 + CHANNELS + 1, 1),
            ({"scores": "features", "gating": None, "base": "avg"}, 1, 1),
        ],
    )
    def test_number_of_weights(self, rng, options, trainable, fixed):
        layer, _ = self.built(rng, **options)
        counts = [
            sum(weight.value.shape.num_elements() for weight in weights)
            for weights in (layer.trainable_weights, layer.non_trainable_weights)
        ]
        assert counts == [trainable, fixed]
        assert layer.count_params() == trainable + fixed

    @every_configuration
    def test_gradient_reaches_every_trainable_weight(self, rng, options):
        layer, x = self.built(rng, **options)
        with tf.GradientTape() as tape:
            y = layer(x, training=True)
        gradients = tape.gradient(
            y,
            [weight.value for weight in layer.trainable_weights],
            output_gradients=rng.normal(size=y.shape).astype("float32"),
        )
        for weight, gradient in zip(layer.trainable_weights, gradients, strict=True):
            assert gradient is not None, weight.path
            assert np.isfinite(gradient).all(), weight.path
            assert np.abs(gradient).max() > 1e-6, weight.path

    @pytest.mark.parametrize("name", ["ramp", "noisy_or", "features"])
    def test_detached_scores_learn_from_their_record_alone(self, rng, name):
        attached, x = self.built(rng, **CONFIGURATIONS[name])
        layer = self.make(**CONFIGURATIONS[name], detach_scores=True)
        layer.build(x.shape)
        layer.set_weights(attached.get_weights())
        features = ops.convert_to_tensor(x)
        with tf.GradientTape(persistent=True) as tape, score_tape() as records:
            tape.watch(features)
            y = layer(features)
        np.testing.assert_array_equal(y, attached(x))
        assert np.abs(tape.gradient(y, layer.raw_alpha.value)) > 0
        attention = records[0].attention
        expected, _, _ = oracle.la_pool_gradients(
            x,
            attention,
            float(layer.sharpness),
            layer.pool_size,
            layer.strides,
            layer.padding,
            gating=layer.gating,
            upstream=np.ones((3, *(tuple(y.shape)[1:-1] or (1, 1)), CHANNELS)),
        )
        assert_close(
            tape.gradient(y, features), expected, **tolerance("float32", 42, 6)
        )
        if layer.head is not None:
            kernel = layer.head.logits.kernel.value
            assert tape.gradient(y, kernel) is None
            assert np.abs(tape.gradient(attention, kernel)).max() > 0

    @pytest.mark.parametrize(
        "how", [{"jit_compile": True}, {"jit_compile": False}, {"run_eagerly": True}]
    )
    def test_fit(self, rng, how):
        layer = self.make(concepts=2, hidden=3, base="max")
        model = keras.Sequential(
            [keras.Input((7, 6, CHANNELS)), layer, layers.Flatten(), layers.Dense(2)]
        )
        layer.gate.assign(0.5)
        before = [ops.convert_to_numpy(weight) for weight in layer.trainable_weights]
        model.compile("adam", "mse", **how)
        x, y = rng.normal(size=(4, 7, 6, CHANNELS)), rng.normal(size=(4, 2))
        history = model.fit(x, y, batch_size=4, epochs=1, verbose=0)
        assert np.isfinite(history.history["loss"]).all()
        assert float(layer.gate) == 0.5
        for old, weight in zip(before, layer.trainable_weights, strict=True):
            assert np.abs(old - ops.convert_to_numpy(weight)).max() > 0, weight.path

    def test_training_flag_reaches_the_norm_of_the_head(self, rng):
        layer, x = self.built(rng, hidden=3)
        norm = layer.head.hidden_layers[1]
        at_start = ops.convert_to_numpy(norm.moving_mean)
        at_rest = ops.convert_to_numpy(layer(x, training=False))
        np.testing.assert_array_equal(layer(x), at_rest)
        np.testing.assert_array_equal(norm.moving_mean, at_start)
        in_training = ops.convert_to_numpy(layer(x, training=True))
        assert np.abs(in_training - at_rest).max() > 1e-3
        assert np.abs(ops.convert_to_numpy(norm.moving_mean) - at_start).max() > 1e-3

    @pytest.mark.parametrize("alpha", [1e-3, 0.5, 2.0, 30.0, 1e3])
    def test_sharpness_starts_at_alpha(self, alpha):
        layer = self.make(alpha=alpha)
        layer.build((None, 7, 6, CHANNELS))
        assert float(layer.sharpness) == pytest.approx(alpha, rel=1e-6)

    @pytest.mark.parametrize("activation", ["sigmoid", "ramp"])
    @pytest.mark.parametrize("initial_score", [0.05, 0.5, 0.95])
    def test_scores_start_at_the_initial_score(self, rng, activation, initial_score):
        layer = self.make(
            concepts=3, score_activation=activation, initial_score=initial_score
        )
        with score_tape() as records:
            layer(rng.normal(size=(2, 7, 6, CHANNELS)))
            layer(np.zeros((2, 7, 6, CHANNELS)))
        scores, scores_of_nothing = (
            ops.convert_to_numpy(record.scores) for record in records
        )
        # What the small random kernel adds differs from pixel to pixel.
        assert scores_of_nothing == pytest.approx(initial_score, rel=1e-5)
        assert scores.mean() == pytest.approx(initial_score, abs=0.05)
        assert 0 < scores.std() < 0.1

    @pytest.mark.parametrize("base", ["max", "avg"])
    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_gate_opens_from_the_base_to_attention(self, rng, base, data_format):
        options = {"data_format": data_format, "concepts": 2}
        alone, x = self.built(rng, **options)
        layer = self.make(**options, base=base)
        layer.build(x.shape)
        for weight, source in zip(
            layer.trainable_weights, alone.trainable_weights, strict=True
        ):
            weight.assign(source)
        before = ops.convert_to_numpy(
            self.base_pooling(base, data_format=data_format)(x)
        )
        assert_close(layer(x), before, **tolerance("float32", 42, np.abs(x).max()))
        if data_format == "channels_last":
            np.testing.assert_array_equal(layer(x), before)
        layer.gate.assign(1.0)
        np.testing.assert_array_equal(layer(x), alone(x))
        layer.gate.assign(0.25)
        blend = 0.75 * before + 0.25 * ops.convert_to_numpy(alone(x))
        assert_close(layer(x), blend, **tolerance("float32", 2, np.abs(x).max()))

    @pytest.mark.parametrize(
        "options, expected",
        [
            (
                {"weighting": "linear"},
                "`weighting` to be one of ('gaussian', 'softmax')",
            ),
            ({"gating": True}, "`gating` to be one of ('score', None)"),
            ({"base": "min"}, "`base` to be one of (None, 'max', 'avg', 'first')"),
            (
                {"scores": "sum"},
                "`scores` to be one of ('max', 'noisy_or', 'features')",
            ),
            ({"scores": "features"}, '`gating=None` with scores="features"'),
            (
                {"score_activation": "relu"},
                "`score_activation` to be one of ('sigmoid',",
            ),
            ({"data_format": "NHWC"}, "`data_format` to be one of ('channels_last',"),
            ({"concepts": 0}, "`concepts` to be a positive integer"),
            ({"concepts": 1.5}, "`concepts` to be a positive integer"),
            ({"concepts": None}, "`concepts` to be a positive integer"),
            ({"hidden": 0}, "`hidden` to be a positive integer"),
            ({"alpha": 0.0}, "`alpha` to be positive"),
            ({"alpha": -1.0}, "`alpha` to be positive"),
            ({"alpha": float("inf")}, "`alpha` to be positive and finite"),
            ({"alpha": float("nan")}, "`alpha` to be positive"),
            ({"initial_score": 0.0}, "`initial_score` strictly between 0 and 1"),
            ({"initial_score": 1.0}, "`initial_score` strictly between 0 and 1"),
        ],
    )
    def test_refuses(self, options, expected):
        with pytest.raises(ValueError) as caught:
            self.make(**options)
        assert expected in str(caught.value)
        assert "Received: " in str(caught.value)

    @pytest.mark.parametrize("shape", [(3, 7, CHANNELS), (3, 7, 6, 5, CHANNELS)])
    def test_refuses_input_of_another_rank(self, shape):
        with pytest.raises(ValueError, match=r"expected ndim=4.*shape received"):
            self.make()(np.ones(shape))

    def test_counts_may_be_numpy_integers(self):
        layer = self.make(concepts=np.int64(3), hidden=np.int32(2))
        assert json.dumps([layer.concepts, layer.hidden]) == "[3, 2]"


WINDOWS = {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"}


class TestLAPooling2D(LAPoolingContract):
    """`LAPooling2D` in overlapping windows of unequal sides."""

    def make(self, **options):
        return LAPooling2D(**WINDOWS, **options)

    def base_pooling(self, base, **options):
        kind = {"max": layers.MaxPooling2D, "avg": layers.AveragePooling2D}[base]
        return kind(**WINDOWS, **options)


def test_short_name():
    assert LAPooling is LAPooling2D


@pytest.mark.parametrize(
    "windows, sizes",
    [
        ({}, (3, 3)),
        ({"pool_size": 3}, (2, 2)),
        ({"pool_size": 3, "strides": 2}, (3, 2)),
        ({"pool_size": 3, "strides": 2, "padding": "SAME"}, (4, 3)),
        ({"pool_size": 3, "strides": 2, "padding": ((1, 1), (0, 2))}, (4, 3)),
        ({"pool_size": [7, 6]}, (1, 1)),
        ({"pool_size": np.int64(2), "strides": (4, 4)}, (2, 2)),
    ],
)
def test_output_sizes(windows, sizes):
    layer = LAPooling2D(**windows)
    x = np.ones((2, 7, 6, CHANNELS))
    assert layer.compute_output_shape(x.shape) == (2, *sizes, CHANNELS)
    assert tuple(layer(x).shape) == (2, *sizes, CHANNELS)
    copy = LAPooling2D.from_config(layer.get_config())
    assert copy.compute_output_shape(x.shape) == (2, *sizes, CHANNELS)


@pytest.mark.parametrize("base", ["max", "avg"])
def test_explicit_padding_stands_for_a_padding_layer(rng, base):
    x = rng.normal(size=(2, 7, 6, CHANNELS)).astype("float32") - 3
    padding = ((1, 0), (2, 1))
    kind = {"max": layers.MaxPooling2D, "avg": layers.AveragePooling2D}[base]
    expected = kind(3, 2)(layers.ZeroPadding2D(padding)(x))
    y = LAPooling2D(3, 2, padding, base=base)(x)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"pool_size": 0}, "`pool_size` to be a positive integer or 2 of them"),
        ({"pool_size": None}, "`pool_size` to be a positive integer or 2 of them"),
        ({"strides": 0}, "`strides` to be a positive integer or 2 of them"),
        ({"strides": (1, 2, 3)}, "`strides` to be a positive integer or 2 of them"),
        ({"padding": "full"}, '`padding` to be "valid", "same" or one'),
        ({"padding": 1}, '`padding` to be "valid", "same" or one'),
        ({"padding": ((2, 0), (0, 0))}, "smaller than the window on every side"),
    ],
)
def test_refuses_windows(options, expected):
    with pytest.raises(ValueError) as caught:
        LAPooling2D(**options)
    assert expected in str(caught.value)
    assert "Received: " in str(caught.value)


@pytest.mark.parametrize(
    "use",
    [
        lambda layer, shape: layer(np.ones(shape)),
        lambda layer, shape: layer(keras.Input(shape[1:])),
        lambda layer, shape: layer.build(shape),
        lambda layer, shape: layer.compute_output_shape(shape),
    ],
    ids=["call", "symbolic call", "build", "compute_output_shape"],
)
def test_refuses_a_map_smaller_than_the_window(use):
    with pytest.raises(ValueError, match=r"every window to fit.*Received: .*\(5, 5\)"):
        use(LAPooling2D(5), (1, 7, 4, CHANNELS))
