"""Images of any range, made ready to be shown."""

import numpy as np
import pytest

from keras_lap.explanation import displayable


@pytest.mark.parametrize(
    "values, dtype, shown",
    [
        ([0, 1, 200], "uint8", [0, 1, 200]),
        ([0, 1, 1], "uint8", [0, 1, 1]),
        ([0, 1, 1], "bool", [0, 255, 255]),
        ([0, 0.5, 1], "float32", [0, 128, 255]),
        ([0, 0.5, 1.0005], "float16", [0, 128, 255]),
        ([-1e-4, 0.2, 0.6], "float64", [0, 51, 153]),
        ([0, 0.51, 1.02], "float32", [0, 128, 255]),
        ([0, 1, 2.5], "float32", [0, 1, 2]),
        ([0, 100.4, 255], "float32", [0, 100, 255]),
        ([0, 100, 200], "int64", [0, 100, 200]),
        ([0, 2048, 4000], "uint16", [0, 128, 249]),
        ([0, 257, 65535], "uint16", [0, 1, 255]),
        ([0, 65535 / 2, 60000], "float32", [0, 128, 233]),
        ([-1, 0.2, 1], "float32", [0, 153, 255]),
        ([-123, 0, 132], "int16", [0, 123, 255]),
        ([0, 4e5, 1e6], "float64", [0, 102, 255]),
        ([-5, -5, -5], "float32", [0, 0, 0]),
    ],
)
def test_ranges(values, dtype, shown):
    images = np.array(values).astype(dtype).reshape(1, 1, 3)
    result = displayable(images)
    assert result.dtype == np.uint8 and result.shape == (1, 1, 3, 3)
    for channel in range(3):
        assert result[0, 0, :, channel].tolist() == shown


def test_all_images_share_one_range():
    images = np.array([[[0.2, 0.4]], [[100, 200]]])
    np.testing.assert_array_equal(displayable(images)[..., 0], [[[0, 0]], [[100, 200]]])


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_channels(channels):
    images = np.random.default_rng(0).random((2, 4, 3, channels))
    expected = images[..., :3]
    if channels not in (3, 4):
        expected = images.mean(axis=-1, keepdims=True)
    expected = np.rint(np.float32(expected) * 255) + np.zeros(3)
    np.testing.assert_allclose(displayable(images), expected, atol=1)


def test_no_images():
    assert displayable(np.ones((0, 4, 4, 1))).shape == (0, 4, 4, 3)


@pytest.mark.parametrize(
    "images, message",
    [
        (np.ones((4, 4)), r"\(N, H, W, C\).*Received: images.shape=\(4, 4\)"),
        (np.ones((2, 4, 4, 0)), r"C at least 1. Received: .*\(2, 4, 4, 0\)"),
        (np.full((1, 2, 2), np.nan), "finite images.*nan_to_num"),
        (np.full((1, 2, 2), -np.inf), "values from -inf"),
    ],
)
def test_what_cannot_be_shown(images, message):
    with pytest.raises(ValueError, match=message):
        displayable(images)
