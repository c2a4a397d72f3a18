"""The contract of every LAP layer, on every backend of Keras."""

import inspect
import json
import math

import keras
import numpy as np
import oracle
import pytest
from autodiff import layer_gradients
from keras import ops
from layer_cases import (
    BATCH,
    CHANNELS,
    CONFIGURATIONS,
    in_layout_of,
    skip_average_pooling_on_torch,
)
from step_options import CHEAP
from tolerances import assert_close, assert_identical, layer_tolerance, tolerance

from keras_lap import la_pool
from keras_lap.layers import score_tape

every_configuration = pytest.mark.parametrize(
    "options", CONFIGURATIONS.values(), ids=CONFIGURATIONS
)


def oracle_attention(layer, record):
    """Attention from the logits of one call, in float64."""
    if layer.scores == "features":
        return np.float64(ops.convert_to_numpy(record.attention))
    z = np.float64(ops.convert_to_numpy(record.logits))
    if layer.score_activation == "sigmoid":
        s = 1 / (1 + np.exp(-z))
    else:
        s = np.clip((z + 1) / 2, 0, 1)
    return oracle.attention_scores(s, layer.scores)


def assert_training_moves_every_weight(model, rng, **how):
    """One step of `fit`, compiled as given, on random data."""
    before = [ops.convert_to_numpy(weight) for weight in model.trainable_weights]
    model.compile("adam", "mse", **how)
    x = rng.normal(size=(4, *model.input_shape[1:]))
    history = model.fit(x, rng.normal(size=(4, 2)), batch_size=4, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    for old, weight in zip(before, model.trainable_weights, strict=True):
        assert np.abs(old - ops.convert_to_numpy(weight)).max() > 0, weight.path


class LAPoolingContract:
    """Tests for every LAP layer. Subclasses say which by a `LayerCase`."""

    case = None

    @every_configuration
    def test_configuration_survives_json(self, options):
        layer = self.case.make(**options, name="pool", dtype="mixed_bfloat16")
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
    @pytest.mark.one_in(3)
    def test_copy_from_its_configuration_computes_the_same(self, rng, options):
        layer, x = self.case.built(rng, **options)
        copy = type(layer).from_config(layer.get_config())
        copy.build(x.shape)
        copy.set_weights(layer.get_weights())
        assert_identical(copy(x), layer(x))

    @pytest.mark.parametrize(
        "name", ["default", "noisy_or", "ramp", "hidden", "ungated", "features"]
    )
    @pytest.mark.one_in(1)
    @pytest.mark.tensorflow_too
    def test_equals_the_oracle(self, rng, name):
        layer, x = self.case.built(rng, **CONFIGURATIONS[name])
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
        allowed = tolerance("float32", self.case.pixels, np.abs(x).max())
        assert_close(ops.reshape(y, expected.shape), expected, **allowed)

    @every_configuration
    @pytest.mark.one_in(2)
    def test_output_shape_is_the_computed_one(self, rng, options):
        layer, x = self.case.built(rng, **options)
        assert layer.compute_output_shape(x.shape) == tuple(layer(x).shape)
        assert layer(keras.Input(x.shape[1:])).shape == (None, *layer(x).shape[1:])

    @every_configuration
    def test_unknown_sizes(self, rng, options):
        layer, _ = self.case.built(rng, **options)
        unknown = in_layout_of(layer, np.empty((1, *[0] * self.case.rank, CHANNELS)))
        unknown = (None, *(size or None for size in unknown.shape[1:]))
        symbolic = layer(keras.Input(unknown[1:]))
        assert layer.compute_output_shape(unknown) == symbolic.shape

    @pytest.mark.parametrize(
        "options", [{}, {"base": "avg", "concepts": 2}, CONFIGURATIONS["features"]]
    )
    def test_channels_first_equals_channels_last(self, rng, options):
        last, x = self.case.built(rng, **options)
        first = self.case.make(**options, data_format="channels_first")
        first.build(in_layout_of(first, x).shape)
        first.set_weights(last.get_weights())
        expected = ops.convert_to_numpy(last(x))
        if expected.ndim > 2:
            expected = in_layout_of(first, expected)
        assert_identical(first(in_layout_of(first, x)), expected)

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    @every_configuration
    @pytest.mark.one_in(5)
    def test_mixed_precision(self, rng, dtype, options):
        layer, x = self.case.built(rng, **options)
        mixed = self.case.make(**options, dtype=f"mixed_{dtype}")
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
    @pytest.mark.one_in(1)
    def test_alpha_and_gate_are_not_rounded_to_the_compute_dtype(
        self, rng, dtype, gate
    ):
        options = {"scores": "features", "gating": None, "base": "avg"}
        layer = self.case.make(**options, alpha=10.055, dtype=dtype)
        x = ops.cast(self.case.features(rng), layer.compute_dtype)
        layer.build(x.shape)
        layer.gate.assign(gate)
        sharpness = np.logaddexp(0, np.float64(float(layer.raw_alpha)))
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
        assert_identical(y, ops.reshape(expected, y.shape))

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
        layer, _ = self.case.built(rng, **options)
        counts = [
            sum(math.prod(weight.shape) for weight in weights)
            for weights in (layer.trainable_weights, layer.non_trainable_weights)
        ]
        assert counts == [trainable, fixed]
        assert layer.count_params() == trainable + fixed

    @every_configuration
    @pytest.mark.one_in(3)
    @pytest.mark.tensorflow_too
    def test_gradient_reaches_every_trainable_weight(self, rng, options):
        layer, x = self.case.built(rng, **options)
        upstream = rng.normal(size=layer.compute_output_shape(x.shape))
        upstream = ops.cast(upstream, "float32")
        _, gradients = layer_gradients(
            layer, x, lambda y, record: ops.sum(upstream * y), training=True
        )
        for weight, gradient in zip(layer.trainable_weights, gradients, strict=True):
            assert np.isfinite(gradient).all(), weight.path
            assert np.abs(gradient).max() > 1e-6, weight.path

    @pytest.mark.parametrize("name", ["ramp", "noisy_or", "features"])
    @pytest.mark.one_in(1)
    def test_detached_scores_learn_from_their_record_alone(self, rng, name):
        attached, x = self.case.built(rng, **CONFIGURATIONS[name])
        layer = self.case.make(**CONFIGURATIONS[name], detach_scores=True)
        layer.build(x.shape)
        layer.set_weights(attached.get_weights())
        with score_tape() as records:
            y = layer(x)
        assert_identical(y, attached(x))
        of_x, (of_alpha, *of_head) = layer_gradients(
            layer, x, lambda y, record: ops.sum(y)
        )
        assert np.abs(of_alpha) > 0
        assert all(np.abs(gradient).max() == 0 for gradient in of_head)
        windows = (layer.pool_size, layer.strides, layer.padding)
        grid = oracle.window_grid(oracle.pooling_windows(self.case.sizes, *windows))
        expected, _, _ = oracle.la_pool_gradients(
            x,
            ops.convert_to_numpy(records[0].attention),
            float(layer.sharpness),
            *windows,
            gating=layer.gating,
            upstream=np.ones((BATCH, *grid, CHANNELS)),
        )
        assert_close(of_x, expected, **tolerance("float32", self.case.pixels, 6))
        _, (of_alpha, *of_head) = layer_gradients(
            layer, x, lambda y, record: ops.sum(record.attention)
        )
        assert np.abs(of_alpha) == 0
        assert all(np.abs(gradient).max() > 0 for gradient in of_head)

    @pytest.mark.tensorflow_too
    def test_fit(self, rng):
        layer = self.case.make(concepts=2, hidden=3, base="max")
        model = self.case.classifier(layer)
        layer.gate.assign(0.5)
        assert_training_moves_every_weight(model, rng, **CHEAP)
        assert float(layer.gate) == 0.5

    @pytest.mark.parametrize("of_record", [False, True])
    @pytest.mark.one_in(1)
    def test_gradient_checkpointing_changes_nothing(self, rng, of_record):
        if keras.config.backend() == "jax" and not self.case.windows:
            pytest.skip("JAX compiles for long what it does for layers with windows")
        options = {"hidden": 3, "base": "avg"}
        layer, x = self.case.built(rng, **options)
        with keras.RematScope("full"):
            checkpointed = self.case.make(**options)
        checkpointed.build(x.shape)
        checkpointed.set_weights(layer.get_weights())

        def loss(y, record):
            return ops.sum(record.logits if of_record else y)

        for actual, expected in zip(
            keras.tree.flatten(layer_gradients(checkpointed, x, loss, training=True)),
            keras.tree.flatten(layer_gradients(layer, x, loss, training=True)),
            strict=True,
        ):
            assert_close(actual, expected, rtol=1e-5, atol=1e-5)

    def test_a_frozen_layer_is_frozen_in_its_copies(self, rng):
        layer = self.case.layer(hidden=4)
        layer.trainable = False
        copy = type(layer).from_config(layer.get_config())
        x = self.case.features(rng)
        copy(x)
        before = [ops.convert_to_numpy(weight) for weight in copy.weights]
        copy(x, training=True)
        for old, weight in zip(before, copy.weights, strict=True):
            assert_identical(weight, old)
        copy.trainable = True
        copy(x, training=True)
        moved = [
            bool((old != ops.convert_to_numpy(weight)).any())
            for old, weight in zip(before, copy.weights, strict=True)
        ]
        assert sum(moved) == 2  # mean and variance of the head's normalisation

    def test_training_flag_reaches_the_norm_of_the_head(self, rng):
        layer, x = self.case.built(rng, hidden=3)
        norm = layer.head.hidden_layers[1]
        at_start = ops.convert_to_numpy(norm.moving_mean)
        at_rest = ops.convert_to_numpy(layer(x, training=False))
        assert_identical(layer(x), at_rest)
        assert_identical(norm.moving_mean, at_start)
        in_training = ops.convert_to_numpy(layer(x, training=True))
        assert np.abs(in_training - at_rest).max() > 1e-4
        assert np.abs(ops.convert_to_numpy(norm.moving_mean) - at_start).max() > 1e-4

    @pytest.mark.parametrize("alpha", [1e-3, 0.5, 2.0, 30.0, 1e3])
    def test_sharpness_starts_at_alpha(self, alpha):
        layer = self.case.make(alpha=alpha)
        layer.build((None, *self.case.sizes, CHANNELS))
        assert float(layer.sharpness) == pytest.approx(alpha, rel=1e-6)

    def test_numbers_may_be_arrays_without_axes(self):
        names, number = ("alpha", "initial_score", "score_gain"), np.array(0.5)
        layer = self.case.make(**dict.fromkeys(names, number))
        config = layer.get_config() | layer.head.get_config()
        for name in (*names, "gain"):
            assert type(config[name]) is float
            assert config[name] == 0.5

    @pytest.mark.parametrize("activation", ["sigmoid", "ramp"])
    @pytest.mark.parametrize("initial_score", [0.05, 0.5, 0.95])
    @pytest.mark.one_in(2)
    def test_scores_start_at_the_initial_score(self, rng, activation, initial_score):
        layer = self.case.make(
            concepts=3, score_activation=activation, initial_score=initial_score
        )
        with score_tape() as records:
            layer(self.case.features(rng))
            layer(0 * self.case.features(rng))
        scores, scores_of_nothing = (
            ops.convert_to_numpy(record.scores) for record in records
        )
        # What the small random kernel adds differs from pixel to pixel.
        assert scores_of_nothing == pytest.approx(initial_score, rel=1e-5)
        assert scores.mean() == pytest.approx(initial_score, abs=0.05)
        assert 0 < scores.std() < 0.1

    @pytest.mark.parametrize("base", ["max", "avg"])
    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    @pytest.mark.one_in(1)
    @pytest.mark.tensorflow_too
    def test_gate_opens_from_the_base_to_attention(self, rng, base, data_format):
        if base == "avg":
            skip_average_pooling_on_torch(self.case.windows.get("padding"))
        options = {"data_format": data_format, "concepts": 2}
        alone, x = self.case.built(rng, **options)
        layer = self.case.make(**options, base=base)
        layer.build(x.shape)
        for weight, source in zip(
            layer.trainable_weights, alone.trainable_weights, strict=True
        ):
            weight.assign(source)
        pooling = self.case.base(base, data_format=data_format)
        before = ops.convert_to_numpy(pooling(x))
        allowed = tolerance("float32", self.case.pixels, np.abs(x).max())
        assert_close(layer(x), before, **allowed)
        if base == "max":
            assert_identical(layer(x), before)
        layer.gate.assign(1.0)
        assert_close(layer(x), alone(x), **allowed)
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
            ({"detach_scores": "no"}, "`detach_scores` to be one of (False, True)"),
            ({"concepts": 0}, "`concepts` to be a positive integer"),
            ({"concepts": 1.5}, "`concepts` to be a positive integer"),
            ({"concepts": None}, "`concepts` to be a positive integer"),
            ({"hidden": 0}, "`hidden` to be a positive integer"),
            *[
                ({"alpha": alpha}, "`alpha` to be a positive, finite number")
                for alpha in (
                    0.0,
                    -1.0,
                    math.inf,
                    10**400,
                    math.nan,
                    2j,
                    None,
                    "2",
                    [2],
                    np.array("2"),
                    np.array(None),
                    np.array(2j),
                    keras.KerasTensor(()),
                )
            ],
            *[
                ({"initial_score": score}, "`initial_score` to be a number between 0 ")
                for score in (0.0, 1.0, math.nan, None, "0.5")
            ],
            ({"score_gain": 0.0}, "`score_gain` to be a positive, finite number"),
            ({"score_gain": float("inf")}, "`score_gain` to be a positive, finite"),
            ({"score_gain": None}, "`score_gain` to be a positive, finite number"),
        ],
    )
    def test_refuses(self, options, expected):
        with pytest.raises(ValueError) as caught:
            self.case.make(**options)
        assert expected in str(caught.value)
        assert "Received: " in str(caught.value)

    @every_configuration
    def test_refuses_an_unknown_number_of_channels(self, options):
        unknown = keras.Input([None] * (self.case.rank + 1))
        with pytest.raises(ValueError, match=r"channels to be known.*Received: "):
            self.case.make(**options)(unknown)

    @pytest.mark.skipif(
        keras.config.backend() == "torch", reason="modules of torch have other words"
    )
    def test_sharpness_is_not_there_before_build(self):
        with pytest.raises(AttributeError, match=r"built.*`sharpness`.*Received: "):
            self.case.make(base="max").sharpness  # noqa: B018

    @pytest.mark.parametrize("more", [-1, 1])
    def test_refuses_input_of_another_rank(self, more):
        rank = self.case.rank + 2
        with pytest.raises(ValueError, match=rf"expected ndim={rank}.*shape received"):
            self.case.make()(np.ones([6] * (rank + more)))

    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_refuses_another_number_of_channels(self, data_format):
        layer = self.case.make(data_format=data_format)
        maps = np.empty((1, *[8] * self.case.rank, CHANNELS))
        layer(keras.Input(in_layout_of(layer, maps).shape[1:]))
        others = keras.Input(in_layout_of(layer, maps[..., 1:]).shape[1:])
        with pytest.raises(ValueError, match=rf"expected axis.*value {CHANNELS}"):
            layer(others)

    def test_files_without_a_gain_mean_ten(self, rng):
        layer, x = self.case.built(rng, concepts=2)
        config = layer.get_config()
        assert config.pop("score_gain") == 10
        older = type(layer).from_config(config)
        older.build(x.shape)
        older.set_weights(layer.get_weights())
        assert_identical(older(x), layer(x))

    def test_counts_may_be_numpy_integers(self):
        layer = self.case.make(concepts=np.int64(3), hidden=np.int32(2))
        assert json.dumps([layer.concepts, layer.hidden]) == "[3, 2]"
