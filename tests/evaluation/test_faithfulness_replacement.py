"""Insertion and deletion."""

import numpy as np
import pytest
from faithfulness_oracles import LinearModel, SaturatingModel, area

from keras_lap.evaluation import deletion, insertion
from keras_lap.evaluation.faithfulness.rise_blur import rise_blur

GAMES = pytest.mark.parametrize("game", [insertion, deletion])
ROUNDING = {"rtol": 0, "atol": 1e-14}


@pytest.fixture
def linear(rng):
    return LinearModel(rng, channels=3)


@pytest.fixture
def images(rng):
    return rng.random((3, 6, 6, 3))


def descending(attribution):
    return -np.sort(-attribution.reshape(len(attribution), -1), axis=1)


class TestClosedForm:
    """With the right attribution, every point of the curve is known."""

    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("step", [1, 5, 6, 36, 100])
    def test_linear_model(self, linear, images, step, order):
        images = images.copy(order=order)
        attribution = linear.attribution(images)
        gained = np.pad(np.cumsum(descending(attribution), axis=1), ((0, 0), (1, 0)))
        counts = [*range(0, 36, step), 36]
        for game, expected in (
            (insertion, gained[:, counts]),
            (deletion, gained[:, -1:] - gained[:, counts]),
        ):
            result = game(linear, images, attribution, 0, step=step, baseline=0)
            x = np.divide(counts, 36)
            np.testing.assert_allclose(result.curve.x, x, **ROUNDING)
            np.testing.assert_allclose(result.curve.y, expected, **ROUNDING)
            areas = [area(y, x) for y in expected]
            np.testing.assert_allclose(result.values, areas, **ROUNDING)

    def test_saturating_model(self, rng, images):
        model = SaturatingModel(rng, channels=3)
        left = model.attribution(images)
        removed = np.cumsum(descending(left), axis=1)
        total = removed[:, -1:]
        result = deletion(model, images, left, 0, step=1)
        np.testing.assert_allclose(
            result.curve.y[:, 1:], 1 - np.exp(-4 * (total - removed)), **ROUNDING
        )

    def test_object(self):
        """Half of the pixels make the class: its area is 3/4 or 1/4."""
        images = np.ones((1, 4, 4, 1), dtype="uint8")
        right = np.zeros((1, 4, 4))
        right[:, 1:3] = 1

        def predict(images):
            return images[:, 1:3, :, 0].mean((1, 2))[:, None]

        inserted = insertion(predict, images, right, 1, step=1, baseline=0)
        assert inserted.mean == pytest.approx(0.75, rel=1e-12)
        assert deletion(predict, images, right, 1, step=1).mean == pytest.approx(0.25)

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("kind", [LinearModel, SaturatingModel])
    def test_best_and_worst_map(self, rng, images, kind, seed):
        model = kind(rng, channels=3)
        best = model.attribution(images)
        other = np.random.default_rng(seed).random(best.shape)
        for game, sign in ((insertion, 1), (deletion, -1)):
            top, middle, bottom = (
                sign * game(model, images, maps, 0, step=1, baseline=0).values
                for maps in (best, other, -best)
            )
            assert (top > middle + 1e-3).all() and (middle > bottom + 1e-3).all()


class TestDefaults:
    @GAMES
    def test_step_is_the_longer_side(self, linear, game):
        wide = np.ones((1, 4, 10, 3))

        def predict(images):
            return images.mean(axis=(1, 2))

        result = game(predict, wide, wide[..., 0], 0)
        np.testing.assert_allclose(result.curve.x, np.arange(5) / 4, **ROUNDING)

    def test_insertion_starts_from_the_blurred_image(self, linear, images):
        result = insertion(linear, images, images[..., 0], 0)
        blurred = np.stack([rise_blur(image) for image in images])
        np.testing.assert_array_equal(result.curve.y[:, 0], linear(blurred)[:, 0])
        np.testing.assert_array_equal(result.curve.y[:, -1], linear(images)[:, 0])

    def test_deletion_ends_at_zero(self, linear, images):
        result = deletion(linear, images, images[..., 0], 1)
        np.testing.assert_array_equal(result.curve.y[:, 0], linear(images)[:, 1])
        np.testing.assert_array_equal(result.curve.y[:, -1], np.ones(3))

    def test_target_of_each_image(self, linear, images):
        maps = images[..., 0]
        first, second, mixed = (
            deletion(linear, images, maps, targets).values
            for targets in (0, 1, np.array([0, 1, 1]))
        )
        np.testing.assert_array_equal(mixed, [first[0], second[1], second[2]])


class TestBaseline:
    @GAMES
    @pytest.mark.parametrize(
        "baseline",
        [
            0.25,
            [0.1, 0.2, 0.3],
            np.full((6, 6, 3), 0.5),
            np.linspace(0, 1, 324).reshape(3, 6, 6, 3),
            "blur",
            lambda image: image / 2,
        ],
        ids=["number", "color", "image", "images", "blur", "function"],
    )
    def test_kinds(self, linear, images, game, baseline):
        result = game(linear, images, images[..., 0], 0, baseline=baseline)
        if isinstance(baseline, str):
            expected = np.stack([rise_blur(image) for image in images])
        elif callable(baseline):
            expected = images / 2
        else:
            expected = np.broadcast_to(baseline, images.shape)
        at = 0 if game is insertion else -1
        np.testing.assert_array_equal(result.curve.y[:, at], linear(expected)[:, 0])

    @pytest.mark.parametrize(
        "baseline",
        [
            "mean",
            None,
            float("nan"),
            [0.1, 0.2],
            np.zeros((4, 6, 6, 3)),
            lambda image: image[:2],
        ],
        ids=["word", "none", "nan", "colors", "images", "function"],
    )
    def test_bad(self, linear, images, baseline):
        with pytest.raises(ValueError, match=r"`baseline` to be .*Received"):
            deletion(linear, images, images[..., 0], 0, baseline=baseline)


@GAMES
class TestOrder:
    @pytest.mark.parametrize(
        "increasing", [np.exp, lambda m: m**3, lambda m: 5 * m - 7]
    )
    def test_only_the_order_counts(self, linear, images, game, increasing):
        maps = images[..., 0]
        np.testing.assert_array_equal(
            game(linear, images, increasing(maps), 0).values,
            game(linear, images, maps, 0).values,
        )

    def test_ties_are_a_random_order(self, game):
        """In row-major order, constant maps would find an object at the top at once."""
        images = np.ones((400, 4, 4, 1))
        for rows in (slice(0, 1), slice(3, 4)):

            def predict(images, rows=rows):
                return images[:, rows, :, 0].mean((1, 2))[:, None]

            constant = np.zeros((400, 4, 4))
            values = game(predict, images, constant, 1, step=1, baseline=0).values
            # The mean place of four of sixteen pixels has a deviation of 0.125.
            assert abs(values.mean() - 0.5) < 4 * 0.125 / 20
            assert values.std() > 0.08

    def test_ties_leave_the_rest_in_order(self, linear, images, game):
        maps = np.zeros((3, 6, 6))
        maps[:, :2] = 1
        first, second = (
            game(linear, images, maps, 0, step=12, baseline=0, seed=seed).curve.y
            for seed in (0, 1)
        )
        np.testing.assert_array_equal(first[:, 1], second[:, 1])
        assert (first[:, 2] != second[:, 2]).all()

    def test_seed(self, linear, images, game):
        constant = np.zeros((3, 6, 6))
        first, same, other = (
            game(linear, images, constant, 0, seed=seed).values for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(first, same)
        assert (first != other).all()

    @pytest.mark.parametrize("step", [0, -3, 2.5])
    def test_bad_step(self, linear, images, game, step):
        with pytest.raises(
            ValueError, match=r"`step` to be a positive integer.*Received"
        ):
            game(linear, images, images[..., 0], 0, step=step)


class TestBlur:
    def test_impulse(self):
        """The kernel sums to one, is symmetric, and falls off from its middle."""
        image = np.zeros((15, 15, 1))
        image[7, 7] = 1
        kernel = rise_blur(image)[..., 0]
        assert kernel.sum() == pytest.approx(1, rel=1e-12)
        assert (kernel[[0, 1, 13, 14]] == 0).all()
        np.testing.assert_allclose(kernel, kernel.T, **ROUNDING)
        np.testing.assert_allclose(kernel, kernel[::-1], **ROUNDING)
        assert (np.diff(kernel[7, 2:8]) > 0).all()

    def test_mirrored_tails(self):
        """The Gaussian of deviation 5, cut at 20, folded into eleven pixels."""
        image = np.zeros((1, 11, 1))
        image[0, 5] = 1
        line = rise_blur(image)[0, :, 0]
        reach = np.arange(-20, 21)
        weights = np.exp(-(reach**2) / 50)
        folded = np.zeros(11)
        for place, weight in zip(reach + 5, weights, strict=True):
            while not 0 <= place <= 10:
                place = -1 - place if place < 0 else 21 - place
            folded[place] += weight
        # Across the single row there is only the middle of the kernel.
        expected = folded / folded.sum()
        np.testing.assert_allclose(line, expected * expected[5], **ROUNDING)

    def test_dtype(self):
        assert rise_blur(np.ones((3, 4, 2), dtype="float32")).dtype == np.float32
