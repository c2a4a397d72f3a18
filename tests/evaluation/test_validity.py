"""Metrics of maps and masks against known geometry."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_lap.evaluation import (
    energy_in_mask,
    iou_at_equal_area,
    iou_over_thresholds,
    pointing_game,
)

pytestmark = pytest.mark.torch_suffices

METRICS = pytest.mark.parametrize(
    "metric", [pointing_game, energy_in_mask, iou_over_thresholds, iou_at_equal_area]
)
# One whole number per pixel, in any order.
RANKS = st.permutations(range(15)).map(lambda order: np.reshape(order, (1, 3, 5)))
MASKS = arrays(np.bool_, (1, 3, 5)).filter(np.any)


def single_pixel(y, x, size=16):
    picture = np.zeros((1, size, size))
    picture[0, y, x] = 1
    return picture


class TestPointingGame:
    def test_hit_and_miss(self):
        maps = np.concatenate([single_pixel(3, 4), single_pixel(3, 4)])
        masks = np.concatenate([single_pixel(3, 4), single_pixel(4, 3)]).astype(bool)
        np.testing.assert_array_equal(pointing_game(maps, masks).values, [1, 0])

    def test_maximum_of_negative_map(self):
        maps = np.full((1, 4, 4), -5.0)
        maps[0, 1, 2] = -1
        masks = np.zeros((1, 4, 4))
        masks[0, 1, 2] = 1
        assert pointing_game(maps, masks).mean == 1

    @pytest.mark.parametrize(
        "dy, dx", [(0, 3), (3, 0), (3, 4), (-3, 4), (-1, -1), (5, 12), (2, -3)]
    )
    def test_tolerance_is_euclidean(self, dy, dx):
        maps, masks = single_pixel(20, 20, 40), single_pixel(20 + dy, 20 + dx, 40)
        distance = math.hypot(dy, dx)
        assert pointing_game(maps, masks, tolerance=distance + 1e-9).mean == 1
        assert pointing_game(maps, masks, tolerance=distance - 1e-9).mean == 0

    def test_distance_equal_to_tolerance_is_a_hit(self):
        maps, masks = single_pixel(2, 2), single_pixel(5, 6)
        assert pointing_game(maps, masks, tolerance=5).mean == 1

    def test_nearest_pixel_of_the_mask_counts(self):
        masks = single_pixel(0, 0) + single_pixel(10, 12)
        maps = single_pixel(10, 10)
        assert pointing_game(maps, masks, tolerance=2).mean == 1
        assert pointing_game(maps, masks, tolerance=1.9).mean == 0

    @pytest.mark.parametrize("value", [0.0, -1.0, 0.5])
    def test_constant_map_is_a_random_guess(self, value):
        count, share = 4000, 3 / 16
        masks = np.zeros((count, 4, 4), dtype=bool)
        masks[:, 0, :3] = True
        result = pointing_game(np.full(masks.shape, value), masks)
        deviation = math.sqrt(share * (1 - share) / count)
        assert abs(result.mean - share) < 4 * deviation

    def test_ties_are_broken_evenly_among_the_maxima_only(self):
        count = 4000
        maps = np.zeros((count, 3, 3), dtype="float32")
        maps[:, [0, 1, 2], [0, 2, 1]] = 7
        hits = []
        for y, x in [(0, 0), (1, 2), (2, 1)]:
            masks = np.zeros(maps.shape)
            masks[:, y, x] = 1
            hits.append(pointing_game(maps, masks).values)
        np.testing.assert_array_equal(np.sum(hits, axis=0), np.ones(count))
        deviation = math.sqrt(2 / 9 / count)
        assert np.abs(np.mean(hits, axis=1) - 1 / 3).max() < 4 * deviation

    def test_seed_decides_ties(self):
        maps, masks = np.zeros((64, 4, 4)), np.zeros((64, 4, 4))
        masks[:, :2] = 1
        first = pointing_game(maps, masks, seed=1).values
        np.testing.assert_array_equal(pointing_game(maps, masks, seed=1).values, first)
        assert (pointing_game(maps, masks, seed=2).values != first).any()

    def test_draws_do_not_depend_on_the_other_samples(self):
        maps, masks = np.zeros((64, 4, 4)), np.zeros((64, 4, 4))
        masks[:, :2] = 1
        together = pointing_game(maps, masks).values
        # Neither by a map without ties, nor by an empty mask.
        maps[0, 0, 0], masks[1] = 1, 0
        others = pointing_game(maps, masks).values
        np.testing.assert_array_equal(others[2:], together[2:])

    @pytest.mark.parametrize("tolerance", [-1, float("nan")])
    def test_bad_tolerance(self, tolerance):
        with pytest.raises(ValueError, match=r"at least 0 pixels\. Received"):
            pointing_game(np.ones((1, 2, 2)), np.ones((1, 2, 2)), tolerance=tolerance)

    @pytest.mark.parametrize("seed", [None, -1])
    def test_bad_seed(self, seed):
        with pytest.raises(ValueError, match="`seed` to be an integer of at least 0"):
            pointing_game(np.ones((1, 2, 2)), np.ones((1, 2, 2)), seed=seed)


class TestEnergyInMask:
    def test_known_share(self):
        maps = np.array([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 1e-3]]])
        masks = np.array([[[1, 0], [0, 1]], [[1, 1], [1, 0]]])
        np.testing.assert_allclose(energy_in_mask(maps, masks).values, [0.5, 0], 1e-15)

    def test_constant_map_scores_the_area_of_the_mask(self):
        masks = np.zeros((1, 5, 8))
        masks[0, :3, :2] = 1
        value = energy_in_mask(np.full(masks.shape, 0.3), masks).mean
        assert value == pytest.approx(6 / 40, rel=1e-14)

    def test_negative_values_are_clipped(self):
        maps = np.array([[[2.0, -100.0], [-100.0, 6.0]]])
        masks = np.array([[[True, True], [False, False]]])
        assert energy_in_mask(maps, masks).mean == pytest.approx(0.25, rel=1e-15)

    @pytest.mark.parametrize("value", [0.0, -2.0])
    def test_map_without_positive_value_counts_as_zero(self, value):
        result = energy_in_mask(np.full((1, 3, 3), value), np.ones((1, 3, 3)))
        assert (result.mean, result.counted, result.left_out) == (0, 1, 0)

    @pytest.mark.parametrize("scale", [1e308, 1e-308, 5e-324])
    def test_extreme_values(self, scale):
        maps = np.array([[[1.0, 1.0], [1.0, 1.0]]]) * scale
        masks = np.array([[[1, 1], [1, 0]]])
        assert energy_in_mask(maps, masks).mean == pytest.approx(0.75, rel=1e-12)


class TestIouOverThresholds:
    def test_staircase(self):
        # Values 1 to 8 in a row of eight pixels, the mask on the highest four.
        maps = np.arange(1.0, 9)[None, None]
        masks = maps > 4
        result = iou_over_thresholds(maps, masks, thresholds=np.arange(1, 9) / 8)
        expected = [4 / 8, 4 / 7, 4 / 6, 4 / 5, 4 / 4, 3 / 4, 2 / 4, 1 / 4]
        np.testing.assert_allclose(result.curve.y, [expected], rtol=1e-15)
        assert result.mean == pytest.approx(np.mean(expected), rel=1e-15)
        assert (result.curve.x_name, result.curve.y_name) == ("threshold", "IoU")

    def test_exact_map_has_the_full_value_at_every_threshold(self):
        masks = np.zeros((1, 6, 6))
        masks[0, 1:3, 2:5] = 1
        assert (iou_over_thresholds(0.7 * masks, masks).curve.y == 1).all()

    def test_map_beside_the_mask_has_none(self):
        masks = single_pixel(3, 4)
        assert iou_over_thresholds(1 - masks, masks).mean == 0

    def test_a_cone_is_a_disc_at_each_threshold(self):
        rows, columns = np.mgrid[:61, :61] - 30
        distance = np.hypot(rows, columns)
        maps = np.maximum(1 - distance / 30, 0)[None]
        radius = 12
        result = iou_over_thresholds(maps, distance[None] <= radius)
        radii = 30 * (1 - result.curve.x)
        areas = np.minimum(radii, radius) ** 2 / np.maximum(radii, radius) ** 2
        np.testing.assert_allclose(result.curve.y[0], areas, atol=0.05)

    def test_pixels_at_the_threshold_belong_to_the_region(self):
        maps = np.arange(1.0, 21)[None, None]
        result = iou_over_thresholds(maps, np.ones(maps.shape))
        # At the threshold t / 20 all pixels from the value t upward.
        np.testing.assert_array_equal(result.curve.y[0], np.arange(20, 1, -1) / 20)

    @pytest.mark.parametrize("value", [1e-300, 0.2, 7])
    def test_constant_map_scores_the_area_of_the_mask(self, value):
        masks = np.zeros((1, 5, 8))
        masks[0, :3, :2] = 1
        curve = iou_over_thresholds(np.full(masks.shape, value), masks).curve
        np.testing.assert_allclose(curve.y, 6 / 40, rtol=1e-15)

    @pytest.mark.parametrize("value", [0.0, -2.0])
    def test_map_without_positive_value_counts_as_zero(self, value):
        result = iou_over_thresholds(np.full((1, 3, 3), value), np.ones((1, 3, 3)))
        assert (result.mean, result.counted) == (0, 1)

    def test_negative_values_are_never_in_the_region(self):
        maps = np.array([[[1.0, -1.0, -3.0]]])
        masks = np.array([[[1, 0, 0]]])
        assert iou_over_thresholds(maps, masks).mean == 1

    def test_left_out_samples_are_left_out_of_the_curve(self):
        maps = np.ones((2, 2, 2))
        masks = np.stack([np.zeros((2, 2)), np.eye(2)])
        curve = iou_over_thresholds(maps, masks, thresholds=[0.5, 1]).curve
        np.testing.assert_array_equal(curve.y, [[np.nan] * 2, [0.5] * 2])
        np.testing.assert_array_equal(curve.mean, [0.5, 0.5])

    @pytest.mark.parametrize(
        "thresholds", [[], 0.5, [0, 0.5], [0.5, 0.5], [0.6, 0.5], [1.1], [np.nan]]
    )
    def test_bad_thresholds(self, thresholds):
        with pytest.raises(ValueError, match=r"ascending order.*Received: thresholds="):
            iou_over_thresholds(np.ones((1, 2, 2)), np.ones((1, 2, 2)), thresholds)


class TestIouAtEqualArea:
    def test_known_overlap(self):
        maps = np.arange(12.0).reshape(1, 3, 4)
        masks = np.zeros(maps.shape)
        masks[0, 1:, 2:] = 1  # values 6, 7, 10, 11; the four highest are 8 to 11
        assert iou_at_equal_area(maps, masks).mean == pytest.approx(2 / 6, rel=1e-15)

    @given(ranks=RANKS, mask=MASKS)
    @settings(max_examples=50, deadline=None)
    def test_counts_pixels_of_two_sets(self, ranks, mask):
        highest = set(np.argsort(-ranks, axis=None)[: mask.sum()])
        wanted = set(np.flatnonzero(mask))
        expected = len(highest & wanted) / len(highest | wanted)
        assert iou_at_equal_area(ranks, mask).mean == pytest.approx(expected, rel=1e-14)

    @given(ranks=RANKS, mask=MASKS)
    @settings(max_examples=25, deadline=None)
    def test_only_the_order_of_the_pixels_counts(self, ranks, mask):
        expected = iou_at_equal_area(ranks, mask).mean
        for changed in (ranks - 100, np.exp(ranks), -1 / (1.0 + ranks)):
            assert iou_at_equal_area(changed, mask).mean == expected

    @pytest.mark.parametrize("value", [-3.0, 0.0, 0.5])
    def test_constant_map_is_an_even_guess(self, value):
        masks = np.zeros((1, 5, 8))
        masks[0, :2, :5] = 1
        share = 10 / 40
        found = iou_at_equal_area(np.full(masks.shape, value), masks).mean
        assert found == pytest.approx(share / (2 - share), rel=1e-15)

    def test_ties_count_as_the_mean_of_all_choices(self):
        # One pixel is chosen for sure, one of three tied ones fills the region.
        maps = np.array([[[9.0, 5.0, 5.0, 5.0, 1.0]]])
        masks = np.array([[[1, 1, 0, 0, 0]]])
        common = 1 + 1 / 3
        found = iou_at_equal_area(maps, masks).mean
        assert found == pytest.approx(common / (4 - common), rel=1e-15)

    def test_mask_of_the_whole_image(self):
        maps = np.random.default_rng(0).normal(size=(1, 4, 4))
        assert iou_at_equal_area(maps, np.ones(maps.shape)).mean == 1


@METRICS
class TestAll:
    def test_empty_masks_are_left_out(self, metric):
        maps = np.ones((3, 4, 4))
        masks = np.ones((3, 4, 4))
        masks[1] = 0
        result = metric(maps, masks)
        np.testing.assert_array_equal(result.values, [1, np.nan, 1])
        assert (result.mean, result.counted, result.left_out) == (1, 2, 1)

    def test_only_empty_masks(self, metric):
        result = metric(np.ones((2, 4, 4)), np.zeros((2, 4, 4)))
        assert math.isnan(result.mean)
        assert (result.counted, result.left_out) == (0, 2)

    def test_no_samples(self, metric):
        assert metric(np.ones((0, 4, 4)), np.zeros((0, 4, 4))).values.shape == (0,)

    @given(
        maps=arrays(np.float64, (2, 3, 5), elements=st.integers(-9, 9)),
        masks=arrays(np.bool_, (2, 3, 5)),
        exponent=st.integers(-60, 60),
    )
    @settings(max_examples=50, deadline=None)
    def test_scale_of_the_map_does_not_matter(self, metric, maps, masks, exponent):
        expected = metric(maps, masks).values
        scaled = metric(maps * 2.0**exponent, masks).values
        np.testing.assert_array_equal(scaled, expected)

    def test_turning_the_images_does_not_matter(self, metric):
        generator = np.random.default_rng(0)
        maps = generator.normal(size=(4, 7, 5))
        masks = generator.random(maps.shape) < 0.3
        expected = metric(maps, masks).values
        for turned in (
            lambda images: images[:, ::-1],
            lambda images: np.swapaxes(images, 1, 2),
        ):
            values = metric(turned(maps), turned(masks)).values
            np.testing.assert_allclose(values, expected, rtol=1e-14)

    def test_a_sample_does_not_depend_on_the_others(self, metric):
        generator = np.random.default_rng(0)
        maps = generator.normal(size=(4, 5, 5))
        masks = generator.random(maps.shape) < 0.3
        alone = [metric(maps[i : i + 1], masks[i : i + 1]).mean for i in range(4)]
        np.testing.assert_array_equal(metric(maps, masks).values, alone)

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    @pytest.mark.parametrize("mask_dtype", ["bool", "uint8", "float32"])
    def test_dtypes(self, metric, dtype, mask_dtype):
        maps = np.array([[[0, 1], [0, 0]]], dtype=dtype)
        masks = np.array([[[0, 1], [0, 0]]], dtype=mask_dtype)
        result = metric(maps, masks)
        assert result.values.dtype == np.float64
        assert result.mean == 1

    def test_inputs_are_not_changed(self, metric):
        maps, masks = np.array([[[-1.0, 4.0]]]), np.array([[[0, 1]]])
        metric(maps, masks)
        np.testing.assert_array_equal(maps, [[[-1, 4]]])
        np.testing.assert_array_equal(masks, [[[0, 1]]])

    @pytest.mark.parametrize(
        "map_shape, mask_shape, message",
        [
            ((2, 8, 8), (2, 64, 64), r"Received: maps.shape=\(2, 8, 8\).*Resize"),
            ((2, 8, 8), (3, 8, 8), "as many maps as masks"),
            ((2, 8, 8, 4), (2, 8, 8), r"pick one per image, such as `maps\[\.\.\., k"),
            ((8, 8), (8, 8), r"shape \(N, H, W\)"),
            ((2, 0, 8), (2, 0, 8), "at least one pixel"),
        ],
    )
    def test_bad_shapes(self, metric, map_shape, mask_shape, message):
        with pytest.raises(ValueError, match=message):
            metric(np.ones(map_shape), np.ones(mask_shape))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_maps_must_be_finite(self, metric, value):
        maps = np.ones((3, 4, 4))
        maps[2, 1, 1] = value
        with pytest.raises(ValueError, match="1 of 3 maps, the first at index 2"):
            metric(maps, np.ones((3, 4, 4)))

    @pytest.mark.parametrize("value", [0.5, 255, -1, np.nan])
    def test_masks_must_hold_zeros_and_ones(self, metric, value):
        with pytest.raises(ValueError, match="zeros and ones only"):
            metric(np.ones((1, 2, 2)), np.full((1, 2, 2), value))


@pytest.mark.parametrize("metric", [pointing_game, energy_in_mask])
@given(
    maps=arrays(np.float64, (2, 3, 5), elements=st.floats(-1e6, 1e6)),
    masks=arrays(np.bool_, (2, 3, 5)),
)
@settings(max_examples=50, deadline=None)
def test_a_mask_and_its_complement_share_the_whole(metric, maps, masks):
    values = metric(maps, masks).values
    counted = ~np.isnan(values)
    np.testing.assert_array_equal(counted, masks.any(axis=(1, 2)))
    assert ((values[counted] >= 0) & (values[counted] <= 1)).all()
    whole = metric(maps, np.ones_like(masks)).values
    parts = np.nan_to_num(values) + np.nan_to_num(metric(maps, ~masks).values)
    distinct = [len(np.unique(map_)) == map_.size for map_ in maps]
    exact = distinct if metric is pointing_game else [True, True]
    np.testing.assert_allclose(parts[exact], whole[exact], rtol=1e-12)
