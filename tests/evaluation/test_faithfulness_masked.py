"""Average drop, average gain and increase in confidence."""

import numpy as np
import pytest

from keras_lap.evaluation import average_drop, average_gain, increase_in_confidence
from keras_lap.evaluation.faithfulness.rise_blur import rise_blur

METRICS = pytest.mark.parametrize(
    "metric", [average_drop, average_gain, increase_in_confidence]
)


def top_against_bottom(images):
    """Half, plus what is in the upper half, minus what is in the lower."""
    top, bottom = np.split(images.mean(axis=(2, 3)), 2, axis=1)
    return (0.5 + (top.mean(1) - bottom.mean(1)) / 2)[:, None]


def halves(top, bottom):
    """Maps with one value in each half, and one pixel of 1 and of 0 for the scale."""
    maps = np.full((1, 20, 20), float(bottom))
    maps[:, :10] = top
    return maps


IMAGES = np.ones((1, 20, 20, 3))


class TestClosedForm:
    @pytest.mark.parametrize(
        "top, bottom, drop, gain, increase",
        [
            (1, 0, 0, 1, 1),
            (0, 1, 1, 0, 0),
            (8, -2, 0, 1, 1),
            (-1, -3, 0, 1, 1),
        ],
    )
    def test_halves(self, top, bottom, drop, gain, increase):
        given = top_against_bottom, IMAGES, halves(top, bottom), 1
        assert average_drop(*given).mean == pytest.approx(drop)
        assert average_gain(*given).mean == pytest.approx(gain)
        assert increase_in_confidence(*given).mean == increase

    @pytest.mark.parametrize("shown", [0.25, 0.5, 0.75])
    def test_partly_shown(self, shown):
        """A strip is scaled between the maximum and the minimum elsewhere."""
        images = np.ones((1, 1, 3, 1))

        def predict(images):
            return 0.8 * images[:, 0, 1]

        maps = np.array([[[-1.0, -1 + 4 * shown, 3.0]]])
        drop = average_drop(predict, images, maps, 1)
        assert drop.mean == pytest.approx(1 - shown)

        def rest(images):
            return 1 - 0.8 * images[:, 0, 1]

        gain = average_gain(rest, images, maps, 1)
        assert gain.mean == pytest.approx(1 - shown)

    def test_per_sample(self):
        maps = np.concatenate([halves(1, 0), halves(0, 1)])
        given = top_against_bottom, np.ones((2, 20, 20, 3)), maps, 1
        np.testing.assert_allclose(average_drop(*given).values, [0, 1])
        np.testing.assert_allclose(average_gain(*given).values, [1, 0])
        np.testing.assert_array_equal(increase_in_confidence(*given).values, [1, 0])


class TestConventions:
    @pytest.mark.parametrize("value", [0, 1, -3.5])
    def test_constant_map_shows_nothing(self, value):
        def predict(images):
            return 0.25 + images.mean((1, 2)) / 2

        given = predict, IMAGES, np.full((1, 20, 20), value), 0
        assert average_drop(*given).mean == pytest.approx(0.5 / 0.75)
        assert increase_in_confidence(*given).mean == 0

    def test_no_change_is_no_increase(self):
        given = lambda images: np.full((len(images), 1), 0.3), IMAGES, halves(1, 0), 1
        for metric in (average_drop, average_gain, increase_in_confidence):
            assert metric(*given).values == 0

    @pytest.mark.parametrize("value, metric", [(0, average_drop), (1, average_gain)])
    def test_undefined_is_left_out(self, value, metric):
        def predict(images):
            return np.where(images[:, 0, 0, :1] > 0.5, 0.5, float(value))

        images = np.concatenate([IMAGES, 0 * IMAGES])
        maps = np.concatenate([halves(1, 0)] * 2)
        result = metric(predict, images, maps, 1)
        assert (result.counted, result.left_out) == (1, 1)
        assert np.isnan(result.values[1])

    def test_rounding_is_no_change(self):
        """One of a probability of float32 that is nearly 1."""
        nearly = np.nextafter(np.float32(1), np.float32(0))

        def predict(images):
            return np.where(images[:, -1, 0, :1] > 0.5, nearly, np.float32(1))

        given = predict, IMAGES, halves(1, 0), 1
        assert average_gain(*given).left_out == 1
        assert increase_in_confidence(*given).values == 0

    @METRICS
    def test_scale_and_offset_of_the_map_do_not_count(self, metric, rng):
        images = rng.random((3, 20, 20, 3))
        # Sixteenths, so that scaling them is exact.
        maps = rng.integers(0, 17, (3, 20, 20)) / 16
        np.testing.assert_array_equal(
            metric(top_against_bottom, images, 4 * maps - 8, 1).values,
            metric(top_against_bottom, images, maps, 1).values,
        )

    @pytest.mark.parametrize("baseline", [0.25, "blur"])
    def test_baseline(self, rng, baseline):
        images = rng.random((1, 20, 20, 3))

        def predict(images):
            return images[:, 10:].mean(axis=(1, 2))

        removed = (
            rise_blur(images[0]) if baseline == "blur" else np.full((20, 20, 3), 0.25)
        )
        whole, masked = images[0, 10:].mean((0, 1)), removed[10:].mean((0, 1))
        result = average_drop(predict, images, halves(1, 0), 2, baseline=baseline)
        expected = max(0, whole[2] - masked[2]) / whole[2]
        assert result.mean == pytest.approx(expected, rel=1e-12)
