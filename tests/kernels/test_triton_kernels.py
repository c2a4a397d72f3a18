"""The GPU kernels in Triton's interpreter, on NumPy arrays, against the oracle."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import triton_interpreter
from cases import Case, assert_equal_the_oracle, cases, random_upstream
from effort import examples
from hypothesis import given, settings

from keras_lap.kernels.gpu.launch import plan_backward, plan_forward
from keras_lap.kernels.gpu.variants import DTYPES, SCORE_BLOCKS, VARIANTS
from keras_lap.kernels.pooling import Pooling

pytestmark = pytest.mark.skipif(
    bool(triton_interpreter.MISSING), reason=triton_interpreter.MISSING
)


def pooling_of(case):
    """The pooling of a case of rank 1 or 2, channels last."""
    arguments = dict(case.arguments)
    del arguments["data_format"]
    sizes, pool_size = case.sizes, arguments.pop("pool_size")
    strides, padding = arguments.pop("strides", None), arguments.pop("padding", "valid")
    if len(sizes) == 1:
        sizes = (1, *sizes)
        pool_size = None if pool_size is None else (1, *pool_size)
        strides = None if strides is None else (1, *strides)
        padding = padding if isinstance(padding, str) else ((0, 0), *padding)
    return Pooling.of(
        (case.batch, *sizes, case.channels),
        case.groups,
        pool_size,
        strides,
        padding,
        alpha_per_group=bool(np.ndim(case.alpha)),
        **arguments,
    )


def assert_kernels_equal_the_oracle(case):
    pooling, values = pooling_of(case), case.values()
    upstream = random_upstream(case)
    gate = values.get("base_gate", np.nan)
    inputs = (*(values[name] for name in ("x", "scores", "alpha")), gate)
    y = triton_interpreter.forward(pooling, case.dtype, *inputs)
    gradients = triton_interpreter.backward(pooling, case.dtype, *inputs, upstream)
    results = (y.reshape(upstream.shape), *gradients.values())
    assert_equal_the_oracle(results, case, upstream)


@settings(max_examples=examples(30))
@given(
    cases(
        dtypes=DTYPES,
        data_formats=("channels_last",),
        ranks=(1, 2, 2),
        channels_and_groups=(
            *((1, 1), (3, 1), (8, 1), (24, 1), (16, 2), (6, 3), (3, 3), (8, 8)),
        ),
        max_size=6,
        max_window=4,
    )
)
def test_equals_the_oracle(case):
    assert_kernels_equal_the_oracle(case)


# Each takes other kernels, or other blocks of the same. The last number is of groups.
GEOMETRIES = {
    "1x1, stride 2": ((5, 4), {"pool_size": (1, 1), "strides": (2, 2)}, "first"),
    "2x2": ((4, 5), {"pool_size": (2, 2)}, "avg"),
    "2x2 over a maximum": ((4, 5), {"pool_size": (2, 2)}, "max"),
    "3x3, stride 2": (
        (5, 4),
        {"pool_size": (3, 3), "strides": (2, 2), "padding": "same"},
        None,
    ),
    "3x3, stride 2 over a maximum": (
        (4, 4),
        {"pool_size": (3, 3), "strides": (2, 2), "padding": ((1, 1), (1, 0))},
        "max",
    ),
    "few taps": (
        (4, 4),
        {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"},
        "max",
    ),
    "some taps": ((6, 5), {"pool_size": (5, 4), "strides": (2, 2)}, "max"),
    "many taps": ((9, 8), {"pool_size": None}, "first"),
}
# Channels and groups; the default is one group of eight.
MORE_CHANNELS = (
    *((name, (136, 1)) for name in ("1x1, stride 2", "2x2", "2x2 over a maximum")),
    *((name, (3, 1)) for name in ("3x3, stride 2 over a maximum", "few taps")),
    *((name, (8, 8)) for name in ("2x2 over a maximum", "some taps")),
    *(("few taps", channels) for channels in ((3, 3), (16, 2))),
)


def covering_cases():
    """Cases that together take every variant of the table."""
    options = itertools.cycle(
        itertools.product(("gaussian", "softmax"), ("score", None))
    )
    combinations = (*((name, (8, 1)) for name in GEOMETRIES), *MORE_CHANNELS)
    for dtype, (name, (channels, groups)) in itertools.product(DTYPES, combinations):
        sizes, geometry, base = GEOMETRIES[name]
        weighting, gating = next(options)
        yield Case(
            batch=2,
            sizes=sizes,
            channels=channels,
            groups=groups,
            score_kind="tied",
            alpha=2.0 if groups == 1 else np.linspace(0, 3, groups).tolist(),
            base_gate=None if base is None else 0.3,
            dtype=dtype,
            arguments={
                **geometry,
                "base": base,
                "weighting": weighting,
                "gating": gating,
                "data_format": "channels_last",
            },
            seed=0,
        )


@pytest.mark.parametrize(
    "case",
    list(covering_cases()),
    ids=lambda case: f"{case.dtype} {case.channels} {case.groups} {case.arguments}",
)
def test_every_variant_equals_the_oracle(case):
    assert_kernels_equal_the_oracle(case)


def test_windows_of_more_taps_than_any_block_equal_the_oracle():
    (case,) = (
        case
        for case in covering_cases()
        if case.dtype == "float32" and case.arguments["pool_size"] is None
    )
    case = dataclasses.replace(case, sizes=(33, 32), batch=1)
    assert math.prod(case.sizes) > max(taps for _, taps in SCORE_BLOCKS)
    assert_kernels_equal_the_oracle(case)


def test_these_cases_take_every_variant():
    used = set()
    for case in covering_cases():
        for plan in (plan_forward, plan_backward):
            launches = plan(pooling_of(case), case.dtype).launches
            used |= {launch.variant for launch in launches}
    assert used == set(VARIANTS)


def pool(x, scores, alpha=2.0, gate=0.5, pool_size=(2, 2), **options):
    """The pooled features, in float32."""
    pooling = Pooling.of(x.shape, scores.shape[-1], pool_size, **options)
    return triton_interpreter.forward(pooling, "float32", x, scores, alpha, gate)


def gradients(x, scores, alpha=2.0, gate=0.5, pool_size=(2, 2), **options):
    """Gradients of the sum of the pooled features, by name."""
    pooling = Pooling.of(x.shape, scores.shape[-1], pool_size, **options)
    shape = pooling.batch, pooling.out_height, pooling.out_width, pooling.channels
    return triton_interpreter.backward(
        pooling, "float32", x, scores, alpha, gate, np.ones(shape)
    )


LAYOUTS = pytest.mark.parametrize(
    "channels, groups, options",
    [
        (8, 1, {"pool_size": (2, 2)}),
        (8, 1, {"pool_size": (3, 3), "strides": (2, 2), "padding": "same"}),
        (3, 1, {"pool_size": (2, 3), "strides": (1, 2)}),
        (4, 4, {"pool_size": (2, 3), "strides": (2, 1)}),
    ],
    ids=str,
)


@LAYOUTS
def test_a_score_of_zero_passes_nothing(rng, channels, groups, options):
    scores = rng.random((1, 4, 6, groups))
    closed = rng.random(scores.shape) < 0.5
    scores[closed] = 0
    x = rng.normal(size=(1, 4, 6, channels))
    changed = np.where(closed, 1e30 * rng.normal(size=x.shape), x)
    before, after = (pool(features, scores, **options) for features in (x, changed))
    np.testing.assert_array_equal(before, after)
    closed = np.broadcast_to(closed, x.shape)
    of_features = gradients(x, scores, **options)["dx"]
    assert np.abs(of_features[closed]).max() == 0
    assert np.abs(of_features[~closed]).max() > 0.01


@LAYOUTS
@pytest.mark.parametrize("weighting", ["gaussian", "softmax"])
def test_extreme_sharpness_keeps_the_best_pixel_alone(
    rng, channels, groups, options, weighting
):
    x, scores = rng.normal(size=(1, 4, 6, channels)), rng.random((1, 4, 6, groups))
    options = {"weighting": weighting, **options}
    sharp, sharper = (pool(x, scores, alpha, **options) for alpha in (1e9, 1e18))
    np.testing.assert_array_equal(sharp, sharper)
    of = gradients(x, scores, 1e18, **options)
    assert all(np.isfinite(gradient).all() for gradient in of.values())
    assert of["dalpha"] == 0


@LAYOUTS
@pytest.mark.parametrize("weighting", ["gaussian", "softmax"])
@pytest.mark.parametrize("scale, alpha", [(1e20, 1.0), (1e30, 1e30)])
def test_scores_far_apart_do_not_overflow(
    rng, channels, groups, options, weighting, scale, alpha
):
    x = rng.normal(size=(1, 4, 6, channels))
    scores = scale * rng.random((1, 4, 6, groups))
    options = {"weighting": weighting, "gating": None, **options}
    of = gradients(x, scores, alpha, **options)
    assert all(np.isfinite(gradient).all() for gradient in of.values())
    assert of["dalpha"] == 0


@pytest.mark.parametrize("channels, groups", [(8, 1), (3, 1), (4, 4)])
def test_what_no_window_sees_gets_no_gradient(rng, channels, groups):
    x, scores = rng.normal(size=(1, 6, 6, channels)), rng.random((1, 6, 6, groups))
    x[:, 2::3], scores[:, :, 2::3] = np.nan, np.nan
    of = gradients(x, scores, strides=(3, 3))
    for name in ("dx", "dscores"):
        assert (
            np.abs(of[name][:, 2::3]).max() == np.abs(of[name][:, :, 2::3]).max() == 0
        )


@LAYOUTS
@pytest.mark.parametrize("base", [None, "max"])
def test_what_is_not_finite_shows_in_its_channel(rng, channels, groups, options, base):
    x, scores = rng.normal(size=(3, 4, 6, channels)), rng.random((3, 4, 6, groups))
    x[:, 1, 1, 0] = np.nan, np.inf, -np.inf
    # The windows that see the pixel are those whose sum of ones at it is not zero.
    at = np.zeros((1, *x.shape[1:]))
    at[0, 1, 1, 0] = 1
    seen = pool(at, np.ones((1, *scores.shape[1:])), alpha=0.0, **options) != 0
    for alpha in (2.0, 1e9):
        y = pool(x, scores, alpha, base=base, **options)
        for of_one in y:
            np.testing.assert_array_equal(np.isfinite(of_one), ~seen[0])


@LAYOUTS
def test_a_score_that_is_no_number_spoils_its_group(rng, channels, groups, options):
    x, scores = rng.normal(size=(1, 4, 6, channels)), rng.random((1, 4, 6, groups))
    scores[0, 1, 1, 0] = np.nan
    at = np.zeros(x.shape)
    at[0, 1, 1, : channels // groups] = 1
    seen = pool(at, np.ones(scores.shape), alpha=0.0, **options) != 0
    np.testing.assert_array_equal(np.isnan(pool(x, scores, **options)), seen)


@pytest.mark.parametrize("groups", [1, 8])
def test_strides_may_lead_far_out_of_the_map(rng, groups):
    x, scores = rng.normal(size=(1, 5, 6, 8)), rng.random((1, 5, 6, groups))
    near, far = (gradients(x, scores, strides=(s, s)) for s in (6, 1 << 20))
    for name, gradient in near.items():
        np.testing.assert_array_equal(far[name], gradient)
    assert np.abs(far["dx"][:, 2:]).max() == np.abs(far["dx"][:, :, 2:]).max() == 0


def test_an_empty_batch_gives_gradients_of_zero():
    for groups in (1, 8):
        empty = np.ones((0, 4, 4, 8)), np.ones((0, 4, 4, groups))
        assert pool(*empty).shape == (0, 2, 2, 8)
        of = gradients(*empty, base="max")
        assert of["dalpha"] == of["dgate"] == 0
