"""Masks at another resolution."""

import numpy as np
import pytest

from keras_lap.utils.resized_masks import nearest_pixels, resized_masks


@pytest.mark.parametrize("size", [(8, 8), (7, 11), (5, 64), (1, 1), (96, 3)])
def test_no_mask_becomes_empty(size):
    """Lines of three pixels, wherever they are, and single pixels."""
    masks = np.zeros((3, 61, 64, 64), bool)
    for at in range(61):
        masks[0, at, at : at + 3, 20:50] = True
        masks[1, at, 20:50, at : at + 3] = True
        masks[2, at, at, -at] = True
    found = resized_masks(masks, size)
    assert found.shape == (3, 61, *size) and found.dtype == bool
    assert found.any(axis=(2, 3)).all()
    assert not resized_masks(np.zeros((2, 64, 64), bool), size).any()


def test_a_line_stays_a_line():
    mask = np.zeros((64, 64), bool)
    mask[25:28, 8:48] = True
    expected = np.zeros((8, 8), bool)
    expected[3, 1:6] = True
    np.testing.assert_array_equal(resized_masks(mask, (8, 8)), expected)


@pytest.mark.parametrize("new", [32, 48, 50, 73])
def test_what_is_large_keeps_its_area_at_any_ratio(new):
    rows, columns = np.mgrid[:100, :100]
    places = np.random.default_rng(0).uniform(30, 70, (40, 2))
    masks = np.stack([np.hypot(rows - y, columns - x) < 25 for y, x in places])
    before = masks.mean(axis=(1, 2))
    after = resized_masks(masks, (new, new)).mean(axis=(1, 2))
    np.testing.assert_allclose(after, before, rtol=0.05)
    assert np.mean(after / before) == pytest.approx(1, abs=0.01)


def test_halves_go_to_the_nearest_pixel():
    """So that squares that end in the middle of new pixels do not grow or shrink."""
    masks = np.zeros((2, 12, 12), bool)
    masks[0, :, 3:9] = masks[1, :, 4:10] = True
    found = resized_masks(masks, (12, 6))
    np.testing.assert_array_equal(found, nearest_pixels(masks, (12, 6)))
    assert found.mean(axis=(1, 2)).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("size", [(5, 7), (5, 9), (13, 22)])
def test_what_is_not_made_smaller_gets_the_nearest_pixels(size):
    masks = np.random.default_rng(0).random((2, 3, 5, 7)) > 0.5
    found = resized_masks(masks, size)
    np.testing.assert_array_equal(found, nearest_pixels(masks, size))
