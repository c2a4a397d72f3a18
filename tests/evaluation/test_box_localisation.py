"""Boxes of maps against known rectangles."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_lap.evaluation import box_localisation

SIZE = 20


def rectangle(top, left, bottom, right, value=1.0):
    map_ = np.zeros((1, SIZE, SIZE))
    map_[0, top:bottom, left:right] = value
    return map_


def box(*pixels):
    return np.reshape(pixels, (1, 1, 4)) / SIZE


class TestOneThreshold:
    def test_right_box_hits_at_every_iou(self):
        maps = rectangle(3, 5, 9, 12)
        for iou in (0.1, 0.5, 1):
            assert box_localisation(maps, box(3, 5, 9, 12), [0.5], iou=iou).mean == 1

    @pytest.mark.parametrize("shift", [0, 1, 2, 3, 4, 5, 7])
    def test_iou_of_shifted_squares(self, shift):
        maps, boxes = rectangle(5, 5, 13, 13), box(5, 5 + shift, 13, 13 + shift)
        common = max(8 - shift, 0) * 8
        exact = common / (128 - common)
        hits = [
            box_localisation(maps, boxes, [0.5], iou=iou).mean
            for iou in (exact - 1e-6, exact, exact + 1e-6)
            if iou <= 1
        ]
        assert hits == ([1, 1, 0] if shift else [1, 1])

    def test_boxes_apart(self):
        maps = rectangle(5, 5, 9, 9)
        assert box_localisation(maps, box(5, 9, 9, 13), [0.5], iou=1e-3).mean == 0

    def test_boxes_between_pixels(self):
        # The left half of the only row: half a pixel of two.
        maps = np.array([[[1.0, 0.0]]])
        boxes = np.array([[[0, 0, 1, 0.25]]])
        assert box_localisation(maps, boxes, [0.5], iou=0.5).mean == 1
        assert box_localisation(maps, boxes, [0.5], iou=0.51).mean == 0

    def test_any_of_several_boxes_may_be_hit(self):
        maps = rectangle(3, 5, 9, 12)
        boxes = np.concatenate(
            [box(12, 12, 20, 20), np.full((1, 1, 4), -1), box(3, 5, 9, 12)], axis=1
        )
        assert box_localisation(maps, boxes, [0.5]).mean == 1
        assert box_localisation(maps, boxes[:, :2], [0.5]).mean == 0

    def test_largest_component_counts_not_the_highest(self):
        maps = rectangle(2, 2, 8, 8, 0.8) + rectangle(12, 12, 15, 15, 1.0)
        assert box_localisation(maps, box(2, 2, 8, 8), [0.5]).mean == 1
        assert box_localisation(maps, box(12, 12, 15, 15), [0.5]).mean == 0
        assert box_localisation(maps, box(12, 12, 15, 15), [0.9]).mean == 1

    def test_size_is_that_of_the_component_not_of_its_box(self):
        frame = rectangle(0, 0, 1, 12) + rectangle(1, 0, 12, 1)  # 23 pixels
        maps = frame + rectangle(14, 14, 19, 19)  # 25 pixels
        assert box_localisation(maps, box(14, 14, 19, 19), [0.5]).mean == 1

    def test_pixels_that_touch_at_a_corner_are_connected(self):
        maps = np.eye(SIZE)[None] * 1.0
        assert box_localisation(maps, box(0, 0, SIZE, SIZE), [0.5], iou=1).mean == 1

    def test_first_of_equal_components(self):
        maps = rectangle(2, 10, 6, 14) + rectangle(12, 2, 16, 6)
        assert box_localisation(maps, box(2, 10, 6, 14), [0.5]).mean == 1
        assert box_localisation(maps, box(12, 2, 16, 6), [0.5]).mean == 0

    def test_the_first_in_row_major_order_is_that_of_the_topmost_pixel(self):
        maps = rectangle(1, 0, 2, 1) + rectangle(0, 6, 1, 7)
        assert box_localisation(maps, box(0, 6, 1, 7), [0.5]).mean == 1

    def test_pixels_at_the_threshold_belong_to_it(self):
        maps = rectangle(3, 5, 9, 12, 0.5) + rectangle(4, 6, 5, 7, 0.5)
        boxes = box(3, 5, 9, 12)
        assert box_localisation(maps, boxes, [0.5]).mean == 1
        assert box_localisation(maps, boxes, [0.501]).mean == 0

    @pytest.mark.parametrize("value", [-1.0, 0.0, 3.0])
    def test_constant_map_misses(self, value):
        maps = np.full((1, SIZE, SIZE), value)
        result = box_localisation(maps, box(0, 0, SIZE, SIZE))
        assert (result.mean, result.counted) == (0, 1)

    @given(
        map_=arrays(np.float64, (1, 5, 6), elements=st.integers(-8, 8)),
        corners=st.tuples(*[st.integers(1, 4)] * 4),
    )
    @settings(max_examples=50, deadline=None)
    def test_shift_and_scale_do_not_matter(self, map_, corners):
        height, width, dy, dx = corners
        pixels = [min(dy, 4), min(dx, 5), min(dy + height, 5), min(dx + width, 6)]
        boxes = np.reshape(pixels, (1, 1, 4)) / [5, 6, 5, 6]
        expected = box_localisation(map_, boxes, [0.25, 0.5]).curve.y
        for changed in (map_ - 64, map_ * 2.0**70, map_ * 2.0**1018):
            found = box_localisation(changed, boxes, [0.25, 0.5]).curve.y
            np.testing.assert_array_equal(found, expected)


class TestManyThresholds:
    # Right boxes from 0.5 to 0.7 and from 0.2 to 0.6.
    MAPS = np.concatenate(
        [
            rectangle(0, 0, 20, 20, 0.49) + rectangle(2, 2, 9, 9, 0.22),
            rectangle(0, 0, 20, 20, 0.19) + rectangle(2, 2, 9, 9, 0.42),
        ]
    )
    MAPS[:, 2, 2] = 1
    MAPS[:, 19, 19] = 0
    BOXES = np.repeat(box(2, 2, 9, 9), 2, axis=0)

    def test_best_threshold_of_all_samples_is_taken(self):
        result = box_localisation(self.MAPS, self.BOXES, np.arange(1, 10) / 10)
        hits = [[0, 0, 0, 0, 1, 1, 1, 0, 0], [0, 1, 1, 1, 1, 1, 0, 0, 0]]
        np.testing.assert_array_equal(result.curve.y, hits)
        np.testing.assert_array_equal(result.values, [1, 1])

    def test_thresholds_where_not_all_hit(self):
        result = box_localisation(self.MAPS, self.BOXES, [0.3, 0.7])
        np.testing.assert_array_equal(result.curve.mean, [0.5, 0.5])
        # The lower one.
        np.testing.assert_array_equal(result.values, [0, 1])

    def test_mean_is_the_highest_point_of_the_mean_curve(self):
        generator = np.random.default_rng(0)
        maps = np.kron(generator.random((12, 4, 4)), np.ones((5, 5)))
        boxes = np.repeat(box(5, 5, 15, 15), 12, axis=0)
        boxes[3] = -1
        result = box_localisation(maps, boxes, iou=0.3)
        assert 0 < result.mean < 1
        assert result.mean == result.curve.mean.max()
        assert (result.counted, result.left_out) == (11, 1)
        np.testing.assert_array_equal(result.curve.y[3], np.full(99, np.nan))

    def test_several_ious_are_means_each_at_its_best(self):
        generator = np.random.default_rng(1)
        maps = np.kron(generator.random((12, 4, 4)), np.ones((5, 5)))
        boxes = np.repeat(box(5, 5, 15, 15), 12, axis=0)
        each = [box_localisation(maps, boxes, iou=iou) for iou in (0.3, 0.5, 0.7)]
        together = box_localisation(maps, boxes, iou=(0.3, 0.5, 0.7))
        expected = np.mean([result.values for result in each], axis=0)
        np.testing.assert_allclose(together.values, expected, rtol=1e-15)
        curves = np.mean([result.curve.y for result in each], axis=0)
        np.testing.assert_allclose(together.curve.y, curves, rtol=1e-15)
        assert together.curve.y_name == "hits at IoU 0.3, 0.5, 0.7"


class TestNothingToScore:
    @pytest.mark.parametrize("none", [[-1] * 4, [0] * 4, [0.5, 0.1, 0.4, 0.9]])
    def test_images_without_boxes(self, none):
        result = box_localisation(rectangle(1, 1, 5, 5), np.full((1, 2, 4), none))
        assert (result.counted, result.left_out) == (0, 1)

    @pytest.mark.parametrize("shape", [(0, 2, 4), (0, 0, 4)])
    def test_no_samples(self, shape):
        result = box_localisation(np.zeros((0, 4, 4)), np.zeros(shape))
        assert result.values.shape == (0,)


@pytest.mark.parametrize(
    "boxes, message",
    [
        (np.zeros((1, 4)), r"boxes\.shape=\(1, 4\).*boxes\[:, None\]"),
        (np.zeros((2, 1, 4)), "as many images"),
        ([[[2, 2, 9, 9]]], r"1 others, the first of which is \[2\.0.*convert_format"),
        ([[[np.nan, 0.1, 0.4, 0.9]]], "1 others"),
        ([[[-0.2, 0.1, 0.4, 0.9]]], r"1 others, the first of which is \[-0\.2"),
        ([[[-1, 0.1, 0.4, 0.9]]], "1 others"),
    ],
)
def test_bad_boxes(boxes, message):
    with pytest.raises(ValueError, match=message):
        box_localisation(rectangle(1, 1, 5, 5), boxes)


@pytest.mark.parametrize("iou", [0, 1.5, (0.5, 0.3), ()])
def test_bad_iou(iou):
    with pytest.raises(ValueError, match="Expected iou above 0"):
        box_localisation(rectangle(1, 1, 5, 5), box(1, 1, 5, 5), iou=iou)


def test_without_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"keras-lap\[evaluation\]"):
        box_localisation(rectangle(1, 1, 5, 5), box(1, 1, 5, 5))
