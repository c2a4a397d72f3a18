"""The function `la_pool` against the oracle, known limits and numeric derivatives."""

import functools
import math

import autodiff
import keras
import numpy as np
import oracle
import pytest
from cases import (
    GATINGS,
    WEIGHTINGS,
    Case,
    cases,
    gradient_tolerances,
    random_upstream,
    spaced,
)
from effort import THOROUGH, examples
from hypothesis import given, settings
from keras import layers, ops
from layer_cases import skip_average_pooling_on_torch
from numeric_gradients import ACCURACY, directional_derivative, numeric_gradient
from tolerances import DTYPES, assert_close, assert_identical, tolerance

import keras_lap
from keras_lap.ops import which

pytestmark = pytest.mark.jax_too

IMPLEMENTATIONS = sorted({which().implementation, "reference"})
automatic = "auto"
on_every_implementation = pytest.mark.parametrize(
    "implementation", IMPLEMENTATIONS, indirect=True, scope="module"
)


@pytest.fixture(
    scope="module",
    autouse=True,
    params=IMPLEMENTATIONS if THOROUGH else IMPLEMENTATIONS[:1],
)
def implementation(request):
    """What a test runs on: the fused kernels, where they are, or the reference.

    The reference is for other backends, and for comparisons with the oracle.
    """
    global automatic
    automatic = "reference" if request.param == "reference" else "auto"
    yield
    automatic = "auto"


def la_pool(*args, **kwargs):
    """`keras_lap.la_pool` by the implementation that is being tested."""
    return keras_lap.la_pool(*args, **{"implementation": automatic, **kwargs})


def assert_equals_the_oracle(y, case):
    values = case.values()
    window = len(next(iter(case.windows().values())))
    magnitude = np.abs(values["x"]).max() * max(1, np.abs(values["scores"]).max())
    assert keras.backend.standardize_dtype(y.dtype) == case.dtype
    assert_close(
        y,
        oracle.la_pool(**values, **case.arguments),
        **tolerance(case.dtype, window, magnitude),
    )


@on_every_implementation
@settings(max_examples=examples(200))
@given(cases(dtypes=DTYPES))
def test_equals_the_oracle(case):
    assert_equals_the_oracle(la_pool(**case.tensors(), **case.arguments), case)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("base", ["max", "avg", "first"])
@pytest.mark.parametrize("padding", ["valid", "same", ((2, 1), (0, 1), (1, 1))])
@pytest.mark.one_in(6)
@pytest.mark.slow_on_jax
def test_every_base_for_every_rank_and_dtype(rank, dtype, base, padding):
    case = Case(
        batch=2,
        sizes=(5, 4, 3)[:rank],
        channels=2,
        groups=1,
        score_kind="spaced",
        alpha=2.0,
        base_gate=0.25,
        dtype=dtype,
        arguments={
            "pool_size": (3, 2, 2)[:rank],
            "strides": (2, 1, 2)[:rank],
            "padding": padding if isinstance(padding, str) else padding[:rank],
            "base": base,
            "gating": None,
            "data_format": "channels_last",
        },
        seed=0,
    )
    tensors = case.tensors()
    y = la_pool(**tensors, **case.arguments)
    assert_equals_the_oracle(y, case)
    of_x = pool_gradients(tensors, case.arguments, np.ones(y.shape))["x"]
    if isinstance(padding, str):
        # Ungated, every output is a weighted mean of real pixels.
        total = np.sum(np.float64(ops.convert_to_numpy(of_x)))
        assert total == pytest.approx(math.prod(y.shape), rel=0.01)


def test_assertions_name_the_worst_mismatch():
    actual, expected = np.zeros((2, 3)), np.zeros((2, 3))
    assert_close(actual, expected, rtol=0, atol=0)
    actual[0, 1], actual[1, 2] = 1e-3, 0.5
    with pytest.raises(AssertionError, match=r"2 of 6 .* worst at \(1, 2\): .*0\.5"):
        assert_close(actual, expected, rtol=0, atol=1e-4)
    actual[0, 0] = np.nan
    with pytest.raises(AssertionError, match=r"worst at \(0, 0\): .*nan"):
        assert_close(actual, expected, rtol=0, atol=1)


@pytest.mark.parametrize("pool_size", [2, None])
def test_python_numbers_count_in_full_precision(rng, pool_size):
    x, scores = rng.normal(size=(2, 4, 4, 3)), rng.random((2, 4, 4, 3))
    for alpha in (0.3, [0.1, 0.2, 0.3]):
        y = la_pool(x, scores, alpha, pool_size, base="avg", base_gate=0.7)
        expected = oracle.la_pool(
            x, scores, alpha, pool_size, base="avg", base_gate=0.7
        )
        assert_close(y, expected, **tolerance("float64", 16, np.abs(x).max()))


@pytest.mark.parametrize("pool_size", [2, None])
def test_scores_keep_their_own_precision(rng, pool_size):
    x = rng.normal(size=(2, 4, 4, 3)).astype("float16")
    scores = rng.random((2, 4, 4, 1)).astype("float32")
    y = la_pool(x, scores, 5.0, pool_size)
    assert_close(
        y,
        oracle.la_pool(x, scores, 5.0, pool_size),
        **tolerance("float16", 16, np.abs(x).max()),
    )


@pytest.mark.parametrize("padding", ["valid", "same", ((1, 0), (0, 1))])
@pytest.mark.one_in(1)
def test_empty_batch(padding):
    y = la_pool(np.ones((0, 5, 5, 4)), np.ones((0, 5, 5, 1)), 1.0, 2, padding=padding)
    known = la_pool(np.ones((1, 5, 5, 4)), np.ones((1, 5, 5, 1)), 1.0, 2, None, padding)
    assert y.shape == (0, *known.shape[1:])


def test_empty_batch_of_one_global_window():
    y = la_pool(np.ones((0, 5, 5, 4)), np.ones((0, 5, 5, 1)), 1.0, None)
    assert y.shape == (0, 1, 1, 4)


def test_data_format_defaults_to_the_setting_of_keras(rng):
    x, scores = rng.random((2, 3, 4, 5)), rng.random((2, 1, 4, 5))
    keras.config.set_image_data_format("channels_first")
    try:
        y = la_pool(x, scores, 2.0, 2)
    finally:
        keras.config.set_image_data_format("channels_last")
    expected = la_pool(x, scores, 2.0, 2, data_format="channels_first")
    assert_identical(y, expected)


# Limits that are known without an oracle.

GEOMETRIES = [
    {"pool_size": 2},
    {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"},
    {"pool_size": 3, "strides": 2, "padding": ((1, 0), (2, 1))},
    {"pool_size": None},
]
geometry_cases = pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
weighting_cases = pytest.mark.parametrize("weighting", WEIGHTINGS)
gating_cases = pytest.mark.parametrize("gating", GATINGS)


def features_and_scores(rng, dtype="float64", groups=1):
    """Feature map of odd sizes and its scores, each without ties."""
    x = 4 * spaced(rng, (2, 7, 5, 4)) - 2
    return x.astype(dtype), spaced(rng, (2, 7, 5, groups)).astype(dtype)


def pool_real_pixels(reduce, x, geometry):
    """Plain pooling of the pixels under each window, padding of any kind ignored."""
    windows = oracle.pooling_windows(x.shape[1:-1], **geometry)
    y = np.empty((len(x), *oracle.window_grid(windows), x.shape[-1]))
    for u, pixels in windows.items():
        real = [p for p in pixels if oracle.lies_inside(p, x.shape[1:-1])]
        y[:, *u] = reduce([x[:, *p] for p in real], axis=0)
    return y


@geometry_cases
@weighting_cases
@gating_cases
@pytest.mark.one_in(3)
@pytest.mark.slow_on_jax
def test_zero_alpha_is_average_pooling(rng, geometry, weighting, gating):
    x, scores = features_and_scores(rng)
    y = la_pool(x, scores, 0.0, **geometry, weighting=weighting, gating=gating)
    passed = x * scores if gating == "score" else x
    expected = pool_real_pixels(np.mean, passed, geometry)
    assert_close(y, expected, **tolerance("float64", 35, 2))


@pytest.mark.parametrize("padding", ["valid", "same"])
@weighting_cases
@gating_cases
@pytest.mark.slow_on_jax
def test_zero_alpha_is_average_pooling_of_keras(rng, padding, weighting, gating):
    x, scores = features_and_scores(rng)
    y = la_pool(x, scores, 0.0, 3, 2, padding, weighting=weighting, gating=gating)
    passed = ops.convert_to_tensor(x * scores if gating == "score" else x)
    expected = ops.average_pool(passed, 3, 2, padding, data_format="channels_last")
    assert_close(y, expected, **tolerance("float64", 9, 2))


@geometry_cases
@weighting_cases
@pytest.mark.slow_on_jax
def test_small_alpha_tends_to_average_pooling(rng, geometry, weighting):
    x, scores = features_and_scores(rng)
    expected = pool_real_pixels(np.mean, x * scores, geometry)
    results = [
        la_pool(x, scores, alpha, **geometry, weighting=weighting)
        for alpha in (1e-2, 1e-3)
    ]
    errors = [np.abs(ops.convert_to_numpy(y) - expected) for y in results]
    # The first term of the weight's series: quadratic in alpha, or linear.
    order = 2 if weighting == "gaussian" else 1
    assert errors[1].max() > 0
    assert errors[0].max() / errors[1].max() == pytest.approx(10**order, rel=0.02)


@geometry_cases
@weighting_cases
@pytest.mark.slow_on_jax
def test_large_alpha_on_features_is_max_pooling(rng, geometry, weighting):
    x, _ = features_and_scores(rng)
    y = la_pool(x, x, 1e6, **geometry, weighting=weighting, gating=None)
    assert_identical(y, pool_real_pixels(np.max, x, geometry))


@pytest.mark.parametrize("padding", ["valid", "same"])
@weighting_cases
@pytest.mark.slow_on_jax
def test_large_alpha_on_features_is_max_pooling_of_keras(rng, padding, weighting):
    x, _ = features_and_scores(rng)
    y = la_pool(x, x, 1e6, 3, 2, padding, weighting=weighting, gating=None)
    x = ops.convert_to_tensor(x)
    expected = ops.max_pool(x, 3, 2, padding, data_format="channels_last")
    assert_identical(y, expected)


@geometry_cases
@weighting_cases
@pytest.mark.parametrize("alpha", [0.0, 2.0, 1e3])
@pytest.mark.one_in(4)
@pytest.mark.slow_on_jax
def test_constant_scores_average(rng, geometry, weighting, alpha):
    x, _ = features_and_scores(rng)
    scores = np.full((2, 7, 5, 1), 0.7)
    average = pool_real_pixels(np.mean, x, geometry)
    for gating, factor in (("score", 0.7), (None, 1.0)):
        y = la_pool(x, scores, alpha, **geometry, weighting=weighting, gating=gating)
        assert_close(y, factor * average, **tolerance("float64", 35, 2))


@geometry_cases
@weighting_cases
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.one_in(8)
@pytest.mark.slow_on_jax
def test_a_score_of_zero_passes_nothing(rng, geometry, weighting, dtype, groups):
    x, scores = (
        ops.cast(array, dtype) for array in features_and_scores(rng, groups=groups)
    )
    closed = ops.cast(rng.random(scores.shape) < 0.5, dtype)
    scores = scores * (1 - closed)
    closed = ops.repeat(closed, 4 // groups, axis=-1)
    other = ops.where(closed > 0, ops.cast(-3e4, dtype), x)
    y, y_of_other = (
        la_pool(tensor, scores, 2.0, **geometry, weighting=weighting)
        for tensor in (x, other)
    )
    assert_identical(y, y_of_other)
    ungated = la_pool(other, scores, 2.0, **geometry, weighting=weighting, gating=None)
    assert np.abs(ops.convert_to_numpy(ungated)).max() > 1e3


@geometry_cases
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.slow_on_jax
def test_a_feature_that_is_not_finite_shows_in_its_windows_at_any_gate(
    rng, geometry, bad
):
    x, scores = features_and_scores(rng)
    x[0, 2, 1, 3] = bad
    y = la_pool(x, scores, 2.0, **geometry, base="max", base_gate=0.0)
    hit = pool_real_pixels(np.max, ~np.isfinite(x), geometry) > 0
    np.testing.assert_array_equal(~np.isfinite(ops.convert_to_numpy(y)), hit)


@geometry_cases
@gating_cases
@weighting_cases
@pytest.mark.one_in(3)
@pytest.mark.slow_on_jax
def test_large_features_do_not_overflow(rng, geometry, gating, weighting):
    x, scores = features_and_scores(rng, "float32")
    x, scale = 1.9 + x / 100, np.float32(2.0**127)
    arguments = {**geometry, "gating": gating, "weighting": weighting}
    y, large = (la_pool(z, scores, 2.0, **arguments) for z in (x, x * scale))
    assert_close(ops.convert_to_numpy(large) / scale, y, rtol=1e-6, atol=0)


@geometry_cases
@gating_cases
@pytest.mark.slow_on_jax
def test_a_nan_score_shows_in_its_windows_and_group(rng, geometry, gating):
    x, scores = features_and_scores(rng, groups=2)
    scores[0, 2, 1, 1] = np.nan
    y = la_pool(x, scores, 2.0, **geometry, gating=gating)
    hit = pool_real_pixels(np.max, np.isnan(np.repeat(scores, 2, -1)), geometry) > 0
    np.testing.assert_array_equal(np.isnan(ops.convert_to_numpy(y)), hit)


def keras_pooling(x, base, geometry):
    """What Keras computes for a base branch, behind `ZeroPadding2D` if need be."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    if geometry["pool_size"] is None:
        kind = {"max": layers.GlobalMaxPooling2D, "avg": layers.GlobalAveragePooling2D}
        return kind[base](keepdims=True, dtype=dtype)(x)
    kind = {"max": layers.MaxPooling2D, "avg": layers.AveragePooling2D}[base]
    padding = geometry.get("padding", "valid")
    if not isinstance(padding, str):
        x = layers.ZeroPadding2D(padding, dtype=dtype)(x)
        geometry = {**geometry, "padding": "valid"}
    return kind(**geometry, dtype=dtype)(x)


@geometry_cases
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.one_in(3)
def test_closed_max_base_is_max_pooling_to_the_last_bit(rng, geometry, dtype):
    x, scores = (ops.cast(array, dtype) for array in features_and_scores(rng))
    y = la_pool(x, scores, 2.0, **geometry, base="max", base_gate=0.0)
    assert_identical(y, keras_pooling(x, "max", geometry))


@geometry_cases
@pytest.mark.slow_on_jax
def test_closed_avg_base_is_average_pooling(rng, geometry):
    skip_average_pooling_on_torch(geometry.get("padding"))
    # Keras sums in half precision, less exactly, and knows float64 on TensorFlow alone.
    dtype = "float32"
    x, scores = (ops.cast(array, dtype) for array in features_and_scores(rng))
    y = la_pool(x, scores, 2.0, **geometry, base="avg", base_gate=0.0)
    expected = keras_pooling(x, "avg", geometry)
    assert_close(y, expected, **tolerance(dtype, 35, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.slow_on_jax
def test_first_base_is_what_a_strided_convolution_samples(rng, dtype):
    x, scores = (ops.cast(array, dtype) for array in features_and_scores(rng))
    first = {"base": "first", "base_gate": 0.0}
    y = la_pool(x, scores, 2.0, 3, 2, ((1, 1), (1, 1)), **first)
    padded = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))[:, :-2:2, :-2:2]
    assert_identical(y, padded)
    y = la_pool(x, scores, 2.0, 2, 3, **first)
    assert_identical(y, x[:, :-1:3, :-1:3])


@geometry_cases
@pytest.mark.parametrize("base", ["max", "avg", "first"])
@pytest.mark.one_in(3)
@pytest.mark.slow_on_jax
def test_open_base_gate_is_attention(rng, geometry, base):
    x, scores = features_and_scores(rng, "float32")
    y = la_pool(x, scores, 2.0, **geometry, base=base, base_gate=1.0)
    expected = la_pool(x, scores, 2.0, **geometry)
    assert_close(y, expected, **tolerance("float32", 35, 2))


# Derivatives.


def pool_gradients(tensors, arguments, upstream):
    """Gradients of `sum(upstream * la_pool)` for every tensor argument, by name."""
    return autodiff.gradients(
        lambda tensors: la_pool(**tensors, **arguments), tensors, upstream
    )


# At these sizes four differences per entry stay affordable.
SMALL = {"max_size": 4, "max_window": 3, "max_batch": 1, "alphas": (0.0, 0.3, 2.0, 7.0)}


# By case, and by argument: they take hundreds of calls of the oracle, and every
# implementation gets the same cases.
DIFFERENCES = {}


def differences_of_the_oracle(case, upstream):
    values = case.values()

    def loss(name, changed):
        changed = {**values, name: changed}
        return np.sum(upstream * oracle.la_pool(**changed, **case.arguments))

    return {
        name: numeric_gradient(functools.partial(loss, name), value)
        for name, value in values.items()
    }


@on_every_implementation
@settings(max_examples=examples(40))
@given(cases(score_kinds=("spaced",), **SMALL))
def test_gradients_equal_differences_of_the_oracle(case):
    upstream = random_upstream(case)
    gradients = pool_gradients(case.tensors(), case.arguments, upstream)
    key = repr(case)
    if key not in DIFFERENCES:
        DIFFERENCES[key] = differences_of_the_oracle(case, upstream)
    for name, differences in DIFFERENCES[key].items():
        assert_close(gradients[name], differences, **ACCURACY)


def assert_gradients_equal_the_closed_form(gradients, case, upstream):
    arguments = {
        key: case.arguments[key]
        for key in case.arguments
        if key not in ("base", "data_format")
    }
    expected = oracle.la_pool_gradients(**case.values(), **arguments, upstream=upstream)
    tolerances = gradient_tolerances(case, upstream)
    for name, value in zip(("x", "scores", "alpha"), expected, strict=True):
        assert_close(gradients[name], value, **tolerances[name])


@settings(max_examples=examples(100))
@given(
    cases(
        dtypes=DTYPES,
        data_formats=("channels_last",),
        bases=(None,),
        alphas=(0.0, 0.3, 2.0, 7.0),
        max_size=6,
    )
)
@pytest.mark.slow_on_jax
def test_gradients_equal_the_closed_form(case):
    upstream = random_upstream(case)
    gradients = pool_gradients(case.tensors(), case.arguments, upstream)
    assert_gradients_equal_the_closed_form(gradients, case, upstream)


# Each map is 2 x 3, in row-major order, and pooled as one window.
one_window_cases = pytest.mark.parametrize(
    "window",
    [
        {"pool_size": (2, 3)},
        {"pool_size": 3, "padding": ((1, 0), (0, 0))},
        {"pool_size": None},
    ],
    ids=str,
)


@one_window_cases
@pytest.mark.parametrize("first, later", [(0.9, 0.9), (-0.0, 0.0)])
@pytest.mark.parametrize(
    "compiled", [lambda function: function, autodiff.jitted], ids=["plain", "jitted"]
)
@pytest.mark.one_in(4)
def test_the_first_of_tied_pixels_takes_the_gradient(
    rng, window, first, later, compiled
):
    scores = [later - 0.4, first, later - 0.2, later - 0.6, later, later - 0.3]
    tensors = {
        "x": rng.normal(size=(1, 2, 3, 4)),
        "scores": np.reshape(scores, (1, 2, 3, 1)),
        "alpha": 2.0,
    }
    arguments = {**window, "gating": None}
    upstream = rng.normal(size=(1, 1, 1, 4))

    @compiled
    def gradients_of(tensors):
        return pool_gradients(tensors, arguments, upstream)

    gradients = gradients_of(tensors)
    of_score = ops.convert_to_numpy(ops.ravel(gradients["scores"]))
    assert of_score[4] == 0
    assert abs(of_score[1]) > 0.01
    # Only differences of scores count, so the gradients add up to nothing.
    assert of_score[1] == pytest.approx(-(of_score[[0, 2, 3, 5]].sum()), abs=1e-14)


@one_window_cases
@pytest.mark.one_in(1)
def test_the_first_of_tied_features_takes_the_gradient_of_the_max_base(window):
    tensors = {
        "x": np.reshape([1.0, 3.0, 2.0, 3.0, 0.0, 3.0], (1, 2, 3, 1)),
        "scores": np.full((1, 2, 3, 1), 0.5),
        "alpha": 2.0,
        "base_gate": 0.0,
    }
    gradients = pool_gradients(tensors, {**window, "base": "max"}, 1.0)
    of_x = ops.convert_to_numpy(ops.ravel(gradients["x"]))
    np.testing.assert_array_equal(of_x, [0, 1, 0, 0, 0, 0])


@one_window_cases
@weighting_cases
@gating_cases
@pytest.mark.one_in(3)
@pytest.mark.slow_on_jax
def test_gradients_at_constant_scores(rng, window, weighting, gating):
    score, alpha = 0.4, 3.0
    x, dy = rng.normal(size=(1, 2, 3, 4)), rng.normal(size=(1, 1, 1, 4))
    tensors = {"x": x, "scores": np.full((1, 2, 3, 1), score), "alpha": alpha}
    arguments = {**window, "weighting": weighting, "gating": gating}
    gradients = pool_gradients(tensors, arguments, dy)
    gate, through_gate = (score, dy * x / 6) if gating == "score" else (1, 0 * x)
    # A Gaussian is flat at its top; an exponential has the slope alpha there.
    through_weight = dy * gate * (x - x.mean(axis=(1, 2), keepdims=True)) / 6
    slope = 0 if weighting == "gaussian" else alpha
    of_score = np.sum(through_gate + slope * through_weight, axis=-1, keepdims=True)
    assert_close(gradients["scores"], of_score, **tolerance("float64", 24, 10))
    assert_close(
        gradients["x"],
        np.broadcast_to(gate * dy / 6, x.shape),
        **tolerance("float64", 6),
    )
    assert_close(gradients["alpha"], 0.0, **tolerance("float64", 24, 10))


@geometry_cases
@pytest.mark.slow_on_jax
def test_a_score_of_zero_stops_the_gradient_of_the_features(rng, geometry):
    x, scores = features_and_scores(rng)
    closed = rng.random(scores.shape) < 0.5
    tensors = {"x": x, "scores": np.where(closed, 0, scores), "alpha": 2.0}
    y = la_pool(**tensors, **geometry)
    upstream = rng.normal(size=tuple(y.shape))
    of_x = pool_gradients(tensors, geometry, upstream)["x"]
    of_x = np.abs(ops.convert_to_numpy(of_x))
    assert of_x[np.broadcast_to(closed, x.shape)].max() == 0
    assert of_x[np.broadcast_to(~closed, x.shape)].max() > 0.01


OPTIONS = [
    *[{"weighting": w, "gating": g} for w in WEIGHTINGS for g in GATINGS],
    *[{"base": base} for base in ("max", "avg", "first")],
]


@pytest.mark.parametrize(
    "arguments",
    [
        *[{"pool_size": size, **more} for size in ((2, 3), None) for more in OPTIONS],
        {"pool_size": (3, 2), "strides": (2, 1), "padding": "same", "base": "avg"},
        {"pool_size": (2, 3), "strides": 2, "padding": ((1, 0), (0, 2))},
    ],
    ids=str,
)
@pytest.mark.one_in(4)
@pytest.mark.slow_on_jax
def test_second_derivatives_equal_differences_of_the_first(rng, arguments):
    values = {
        "x": rng.normal(size=(2, 4, 3, 2)),
        "scores": spaced(rng, (2, 4, 3, 1)),
        "alpha": np.float64(2.0),
    }
    if "base" in arguments:
        values["base_gate"] = np.float64(0.6)
    upstream = rng.normal(size=tuple(la_pool(**values, **arguments).shape))
    along = {
        name: ops.convert_to_tensor(rng.normal(size=value.shape))
        for name, value in values.items()
    }

    def slope(tensors):
        first = pool_gradients(tensors, arguments, upstream)
        return sum(ops.sum(first[name] * along[name]) for name in first)

    second = autodiff.gradients(slope, values)
    for name, value in values.items():
        direction = rng.normal(size=value.shape)
        expected = directional_derivative(
            lambda changed, name=name: ops.convert_to_numpy(
                slope({**values, name: changed})
            ),
            value,
            direction,
        )
        actual = np.sum(ops.convert_to_numpy(second[name]) * direction)
        assert abs(actual) > 1e-3
        assert_close(actual, expected, **ACCURACY)


# What is refused.

REFUSED = {
    "x of rank 2": ({"x": np.ones((6, 4))}, "one rank, 3 to 5"),
    "x of rank 6": ({"x": np.ones((1, 2, 2, 2, 2, 4))}, "one rank, 3 to 5"),
    "scores of rank 3": ({"scores": np.ones((2, 6, 6))}, "one rank, 3 to 5"),
    "integer x": ({"x": np.ones((2, 6, 6, 4), int)}, "a float dtype"),
    "batch mismatch": ({"scores": np.ones((1, 6, 6, 1))}, "one score per pixel"),
    "spatial mismatch": ({"scores": np.ones((2, 6, 5, 1))}, "one score per pixel"),
    "groups": ({"scores": np.ones((2, 6, 6, 3))}, "divide the number of channels"),
    "no groups": ({"scores": np.ones((2, 6, 6, 0))}, "divide the number of channels"),
    "negative alpha": ({"alpha": -0.1}, "`alpha` to be finite, zero or positive"),
    "one negative alpha": (
        {"alpha": np.array([2.0, -1.0]), "scores": np.ones((2, 6, 6, 2))},
        "`alpha` to be finite, zero or positive",
    ),
    "alpha nan": ({"alpha": math.nan}, "`alpha` to be finite, zero or positive"),
    "no alpha": ({"alpha": None}, "`alpha` to be finite, zero or positive"),
    "alpha text": ({"alpha": "2"}, "`alpha` to be finite, zero or positive"),
    "alpha texts": ({"alpha": ["2"]}, "`alpha` to be finite, zero or positive"),
    "gate text": ({"base": "max", "base_gate": "1"}, "`base_gate` to be a number in"),
    "alpha infinite": ({"alpha": math.inf}, "`alpha` to be finite, zero or positive"),
    "two alphas": ({"alpha": [1.0, 2.0]}, "one value per score map"),
    "large window": ({"pool_size": (2, 7)}, "every window to fit"),
    "large padded window": (
        {"pool_size": 9, "padding": ((1, 1), (1, 1))},
        "every window to fit",
    ),
    "padded map without a pixel": (
        {
            "x": np.ones((2, 0, 6, 4)),
            "scores": np.ones((2, 0, 6, 1)),
            "padding": ((1, 1), (1, 1)),
        },
        "a padded map to hold a pixel",
    ),
    "huge window": (
        {"pool_size": 2**20, "padding": "same"},
        "a window of at most 1048576 pixels",
    ),
    "pool_size 0": ({"pool_size": 0}, "`pool_size` to be a positive integer or 2"),
    "pool_size True": ({"pool_size": True}, "`pool_size` to be a positive integer"),
    "pool_size 2.5": ({"pool_size": 2.5}, "`pool_size` to be a positive integer or 2"),
    "three sizes": ({"pool_size": (2, 2, 2)}, "`pool_size` to be a positive integer"),
    "strides 0": ({"strides": 0}, "`strides` to be a positive integer or 2"),
    "strides text": ({"strides": "ab"}, "`strides` to be a positive integer or 2"),
    "padding word": ({"padding": "full"}, '`padding` to be "valid", "same" or'),
    "padding number": ({"padding": 1}, '`padding` to be "valid", "same" or'),
    "padding per axis": ({"padding": (1, 1)}, "one (before, after) pair"),
    "one padding pair": ({"padding": ((1, 1),)}, "one (before, after) pair"),
    "negative padding": ({"padding": ((0, 0), (-1, 0))}, "non-negative integers"),
    "fractional padding": ({"padding": ((0.5, 0), (0, 0))}, "non-negative integers"),
    "wide padding": ({"padding": ((0, 0), (0, 2))}, "smaller than the window"),
    "global strides": ({"pool_size": None, "strides": 2}, "neither `strides` nor"),
    "global padding": ({"pool_size": None, "padding": "same"}, "neither `strides` nor"),
    "weighting": ({"weighting": "linear"}, "`weighting` to be one of ('gaussian',"),
    "gating": ({"gating": "scores"}, "`gating` to be one of ('score', None)"),
    "base": ({"base": "min", "base_gate": 0.5}, "`base` to be one of (None, 'max',"),
    "base alone": ({"base": "max"}, "`base` and `base_gate` to be given together"),
    "gate alone": ({"base_gate": 0.5}, "`base` and `base_gate` to be given together"),
    "gate above 1": (
        {"base": "max", "base_gate": 1.5},
        "`base_gate` to be a number in",
    ),
    "gate of channels": (
        {"base": "max", "base_gate": np.full(4, 0.5)},
        "`base_gate` to be a scalar",
    ),
    "data_format": ({"data_format": "NHWC"}, "`data_format` to be one of"),
    "implementation": ({"implementation": "fast"}, "`implementation` to be one of"),
}


@pytest.mark.parametrize("changes, expected", REFUSED.values(), ids=REFUSED)
def test_refuses(changes, expected):
    arguments = {
        "x": np.ones((2, 6, 6, 4)),
        "scores": np.ones((2, 6, 6, 1)),
        "alpha": 2.0,
        "pool_size": 2,
        "data_format": "channels_last",
    }
    with pytest.raises(ValueError) as caught:
        la_pool(**{**arguments, **changes})
    assert expected in str(caught.value)
    assert "Received: " in str(caught.value)
