import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy is not installed")

from keras_lap.evaluation import road
from keras_lap.evaluation.faithfulness.noisy_linear_imputation import (
    noisy_linear_imputation,
)
from keras_lap.evaluation.faithfulness.pixel_order import pixel_order


def filled(image, missing, noise=0.0):
    return noisy_linear_imputation(image, missing, noise, np.random.default_rng(0))


def weighted_mean(image, y, x):
    """Mean of the neighbours there are, pixel by pixel."""
    total = weight_sum = 0
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            weight = {1: 1 / 6, 2: 1 / 12}.get(abs(dy) + abs(dx), 0)
            if 0 <= y + dy < image.shape[0] and 0 <= x + dx < image.shape[1]:
                total = total + weight * image[y + dy, x + dx]
                weight_sum += weight
    return total / weight_sum


class TestImputation:
    @pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
    @pytest.mark.parametrize("size", [(7, 9), (1, 12), (12, 2)])
    def test_missing_pixels_are_means_of_their_neighbours(self, rng, size, share):
        image = rng.random((*size, 3))
        missing = rng.random(size) < share
        missing[0, -1], missing[-1, 0] = True, False
        result = filled(image, missing)
        np.testing.assert_array_equal(result[~missing], image[~missing])
        expected = [weighted_mean(result, y, x) for y, x in np.argwhere(missing)]
        np.testing.assert_allclose(result[missing], expected, rtol=0, atol=1e-13)

    def test_single_pixel(self):
        image = np.arange(9.0).reshape(3, 3, 1) ** 2
        missing = np.zeros((3, 3), dtype=bool)
        missing[1, 1] = True
        expected = (1 + 9 + 25 + 49) / 6 + (0 + 4 + 36 + 64) / 12
        assert filled(image, missing)[1, 1, 0] == pytest.approx(expected, rel=1e-14)

    def test_constant_image_is_restored(self, rng):
        missing = rng.random((20, 20)) < 0.9
        result = filled(np.full((20, 20, 2), 0.3), missing)
        np.testing.assert_allclose(result, 0.3, rtol=0, atol=1e-13)

    def test_ramp_is_restored_inside(self):
        y, x = np.mgrid[:12, :10]
        image = (0.5 * y - 2.0 * x + 1)[..., None]
        missing = np.zeros((12, 10), dtype=bool)
        missing[2:9, 3:8] = True
        np.testing.assert_allclose(filled(image, missing), image, rtol=0, atol=1e-12)

    def test_noise_is_added_to_what_is_missing(self):
        image, missing = np.zeros((100, 100, 3)), np.zeros((100, 100), dtype=bool)
        missing[10:90, 10:90] = True
        result = filled(image, missing, noise=0.01)
        assert (result[~missing] == 0).all()
        noise = result[missing]
        assert abs(noise.std() / 0.01 - 1) < 4 / np.sqrt(2 * noise.size)
        assert abs(noise.mean()) < 4 * 0.01 / np.sqrt(noise.size)

    def test_image_is_not_changed(self, rng):
        image = rng.random((4, 4, 1)).astype("float32")
        before = image.copy()
        result = filled(image, np.eye(4, dtype=bool))
        np.testing.assert_array_equal(image, before)
        assert result.dtype == np.float32


@pytest.fixture
def image():
    """A bright square, a ninth of the image."""
    image = np.full((1, 12, 12, 1), 0.2)
    image[:, 4:8, 4:8] = 1
    return image


def square(images):
    bright = images[:, 4:8, 4:8, 0].mean((1, 2))
    return np.stack([bright, 1 - bright], axis=1)


@pytest.fixture
def right(image):
    return (image[..., 0] > 0.5).astype("float64")


class TestClosedForm:
    def test_right_map(self, image, right):
        """A square that is gone as a whole is filled with the colour around it."""
        percentages = (0, 100 / 9 + 1e-9, 50, 90)
        options = {"percentages": percentages, "noise": 0}
        gone = [1, 0.2, 0.2, 0.2]
        kept = [1, 1, 1]
        most = road(square, image, right, 0, **options)
        np.testing.assert_allclose(most.curve.y[0], gone, atol=1e-12)
        np.testing.assert_allclose(most.curve.x, np.divide(percentages, 100))
        assert most.mean == pytest.approx(np.mean(gone))
        least = road(square, image, right, 0, order="lerf", **options)
        np.testing.assert_allclose(least.curve.y[0, :3], kept, atol=1e-12)
        both = road(square, image, right, 0, order="combined", **options)
        np.testing.assert_allclose(
            both.curve.y, (least.curve.y - most.curve.y) / 2, atol=1e-12
        )
        assert both.mean == pytest.approx((least.mean - most.mean) / 2)

    def test_best_and_worst_map(self, image, right, rng):
        options = {"order": "combined", "noise": 0}
        best, other, worst = (
            road(square, image, maps, 0, **options).mean
            for maps in (right, rng.random((1, 12, 12)), -right)
        )
        assert best > other + 0.05 and other > worst + 0.05

    def test_pixels_are_rounded_down(self):
        seen = []

        def predict(images):
            seen.extend(int((x != np.round(x)).sum()) for x in images)
            return np.full((len(images), 1), 0.5)

        images = np.arange(49.0).reshape(1, 7, 7, 1) ** 2
        maps = np.arange(49.0).reshape(1, 7, 7)
        road(predict, images, maps, 0, percentages=(2, 3, 10), noise=0.1, batch_size=3)
        assert seen == [0, 1, 4]

    def test_accuracy(self, image, right):
        options = {"measure": "accuracy", "percentages": (5, 50), "noise": 0}
        result = road(square, image, right, [0], **options)
        np.testing.assert_array_equal(result.curve.y, [[1, 0]])
        result = road(square, image, right, [1], **options)
        np.testing.assert_array_equal(result.curve.y, [[0, 1]])

    def test_tied_classes_are_right_in_part(self, image, right):
        def undecided(images):
            return np.full((len(images), 4), [0.3, 0.3, 0.1, 0.3])

        for target, share in ((0, 1 / 3), (3, 1 / 3), (2, 0)):
            result = road(undecided, image, right, target, measure="accuracy")
            assert result.mean == pytest.approx(share)

    def test_noise_is_a_share_of_the_range(self, image, right):
        small = road(square, image, right, 0).values
        large = road(lambda x: square(x / 256), 256 * image, right, 0).values
        np.testing.assert_allclose(small, large, rtol=1e-12)
        still = road(square, image, right, 0, noise=0).values
        assert 0 < abs(small - still) < 0.01


class TestConventions:
    @pytest.mark.parametrize("order", ["morf", "lerf", "combined"])
    def test_only_the_order_counts(self, image, rng, order):
        maps = rng.random((1, 12, 12))
        first, second = (
            road(square, image, m, 0, order=order).values for m in (maps, np.exp(maps))
        )
        np.testing.assert_array_equal(first, second)

    def test_orders_are_the_reverse_of_each_other(self, image, rng):
        maps = rng.random((1, 12, 12))
        np.testing.assert_array_equal(
            road(square, image, maps, 0, order="lerf", noise=0).values,
            road(square, image, -maps, 0, order="morf", noise=0).values,
        )

    def test_seed(self, image):
        constant = np.zeros((1, 12, 12))
        first, same, other = (
            road(square, image, constant, 0, seed=seed).mean for seed in (1, 1, 2)
        )
        assert first == same != other

    @pytest.mark.parametrize(
        "options",
        [
            {"order": "roar"},
            {"measure": "loss"},
            {"noise": -1},
            {"noise": np.nan},
            *({"percentages": p} for p in ((), (10, 100), (-1,), (np.nan,), 10)),
        ],
        ids=str,
    )
    def test_bad_options(self, image, right, options):
        with pytest.raises(ValueError, match=r"Expected .*Received"):
            road(square, image, right, 0, **options)


def test_pixel_order(rng):
    map_ = rng.integers(0, 3, (4, 5)).astype("float64")
    order = pixel_order(map_, rng)
    assert sorted(order) == list(range(20))
    assert (np.diff(map_.ravel()[order]) <= 0).all()
