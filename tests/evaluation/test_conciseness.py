"""Sparsity and complexity against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_lap.evaluation import complexity, sparsity

METRICS = pytest.mark.parametrize("metric", [sparsity, complexity])
MAPS = arrays(np.float64, (2, 3, 5), elements=st.integers(-9, 9))


def even_on(pixels, size=20):
    """A map that is the same on some pixels and zero on the others."""
    map_ = np.zeros(size)
    map_[:pixels] = -3.0
    return np.random.default_rng(0).permutation(map_).reshape(1, 4, -1)


@pytest.mark.parametrize("pixels", [1, 2, 7, 20])
class TestEvenOnSomePixels:
    def test_sparsity_is_the_share_of_the_others(self, pixels):
        found = sparsity(even_on(pixels)).mean
        assert found == pytest.approx(1 - pixels / 20, abs=1e-15)
        assert found >= 0

    def test_complexity_is_the_logarithm_of_their_number(self, pixels):
        found = complexity(even_on(pixels)).mean
        assert found == pytest.approx(math.log(pixels), abs=1e-14)


def test_sparsity_of_a_ramp():
    # The Gini index of 1, ..., d is (d - 1) / (3 d).
    ramp = np.arange(1.0, 101).reshape(1, 10, 10)
    assert sparsity(ramp).mean == pytest.approx(99 / 300, rel=1e-14)


@given(maps=MAPS)
@settings(max_examples=50, deadline=None)
def test_sparsity_is_the_mean_difference(maps):
    """The Gini index is half of the mean difference of two pixels, over the mean."""
    for value, map_ in zip(sparsity(maps).values, np.abs(maps), strict=True):
        if map_.any():
            differences = np.abs(map_.ravel()[:, None] - map_.ravel())
            expected = differences.mean() / (2 * map_.mean())
            assert value == pytest.approx(expected, abs=1e-14)
        else:
            assert math.isnan(value)


def test_complexity_of_a_geometric_series():
    shares = 0.5 ** np.append(np.arange(1, 16), 15)
    expected = np.sum(shares * np.append(np.arange(1, 16), 15)) * math.log(2)
    found = complexity(shares.reshape(1, 4, 4)).mean
    assert found == pytest.approx(expected, rel=1e-14)


@METRICS
class TestBoth:
    @given(maps=MAPS, exponent=st.integers(-60, 60))
    @settings(max_examples=25, deadline=None)
    def test_scale_sign_and_order_do_not_matter(self, metric, maps, exponent):
        expected = metric(maps).values
        for changed in (maps * 2.0**exponent, -maps, maps[:, ::-1, ::-1]):
            np.testing.assert_allclose(metric(changed).values, expected, atol=1e-14)

    @pytest.mark.parametrize("scale", [1e308, 1e-308, 5e-324])
    def test_extreme_values(self, metric, scale):
        maps = np.array([[[1.0, 1.0], [0.0, 1.0]]])
        assert metric(maps * scale).mean == pytest.approx(metric(maps).mean, rel=1e-14)

    def test_maps_of_zeros_are_left_out(self, metric):
        result = metric(np.stack([np.zeros((2, 2)), np.ones((2, 2))]))
        np.testing.assert_array_equal(np.isnan(result.values), [True, False])

    def test_no_samples(self, metric):
        assert metric(np.zeros((0, 4, 4))).values.shape == (0,)

    def test_inputs_are_not_changed(self, metric):
        maps = np.array([[[-1.0, 4.0]]])
        metric(maps)
        np.testing.assert_array_equal(maps, [[[-1, 4]]])

    @pytest.mark.parametrize("dtype", ["float16", "float32", "int64"])
    def test_dtypes(self, metric, dtype):
        maps = np.arange(16).reshape(1, 4, 4)
        values = metric(maps.astype(dtype)).values
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, metric(maps.astype("float64")).values)

    def test_bad_maps(self, metric):
        with pytest.raises(ValueError, match=r"shape \(N, H, W\)"):
            metric(np.ones((4, 4)))
        with pytest.raises(ValueError, match="1 of 2 maps, the first at index 1"):
            metric([[[1.0]], [[np.nan]]])
