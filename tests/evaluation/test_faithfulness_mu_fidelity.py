import numpy as np
import pytest
from faithfulness_oracles import LinearModel

from keras_lap.evaluation import mu_fidelity


@pytest.fixture
def linear(rng):
    return LinearModel(rng, size=(20, 22), channels=3)


@pytest.fixture
def images(rng):
    return rng.random((2, 20, 22, 3))


def squared(linear):
    """Increasing in the score, not linear."""
    return lambda images: linear(images)[:, :1] ** 2


class TestClosedForm:
    """What is removed from a linear model is what the right map says."""

    @pytest.mark.parametrize("grid", [None, 2, 5, 9, 21])
    @pytest.mark.parametrize("correlation", ["pearson", "spearman"])
    def test_right_map(self, linear, images, grid, correlation):
        right = linear.attribution(images)
        options = {"grid": grid, "correlation": correlation, "samples": 20}
        options["share"] = 0.25
        for maps, expected in ((right, 1), (-right, -1)):
            result = mu_fidelity(linear, images, maps, 0, **options)
            np.testing.assert_allclose(result.values, [expected] * 2, atol=1e-9)

    def test_other_class(self, linear, images):
        right = linear.attribution(images)
        result = mu_fidelity(linear, images, right, [0, 1], samples=20)
        np.testing.assert_allclose(result.values, [1, -1], atol=1e-9)

    def test_baseline(self, linear, images):
        right = linear.attribution(images - 0.5)
        result = mu_fidelity(linear, images, right, 0, samples=20, baseline=0.5)
        np.testing.assert_allclose(result.values, [1, 1], atol=1e-9)
        blurred = mu_fidelity(linear, images, right, 0, samples=20, baseline="blur")
        assert (blurred.values < 0.99).all()

    def test_ranks_forgive_what_is_not_linear(self, linear, images):
        right = linear.attribution(images)
        pearson, spearman = (
            mu_fidelity(
                squared(linear), images, right, 1, samples=20, correlation=kind
            ).values
            for kind in ("pearson", "spearman")
        )
        np.testing.assert_allclose(spearman, [1, 1], atol=1e-12)
        assert (pearson < 1 - 1e-6).all() and (pearson > 0.99).all()

    def test_unrelated_map(self, linear, images, rng):
        """The model sees the left half only, the map is of the right half."""
        linear.weights[:, 11:] = 0
        unrelated = np.zeros((2, 20, 22))
        unrelated[:, :, 11:] = rng.random((2, 20, 11))
        # On an even number of columns no cell has pixels of both halves.
        values = mu_fidelity(linear, images, unrelated, 0, grid=10, share=0.5).values
        # Subsets of a fixed size have more of one half if they have less of the other.
        assert (values < 0).all()
        right = mu_fidelity(linear, images, linear.attribution(images), 0).values
        np.testing.assert_allclose(right, [1, 1], atol=1e-9)


class TestConventions:
    def test_scale_of_the_map_does_not_count(self, linear, images, rng):
        maps = rng.normal(size=(2, 20, 22))
        first, scaled = (
            mu_fidelity(linear, images, m, 0, samples=20).values
            for m in (maps, 8 * maps)
        )
        np.testing.assert_allclose(first, scaled, rtol=1e-12)

    @pytest.mark.parametrize("value", [0, 0.1, -3])
    def test_constant_map_is_left_out(self, linear, images, value):
        maps = np.full((2, 20, 22), value)
        result = mu_fidelity(linear, images, maps, 0, samples=20, grid=2, share=0.5)
        assert result.left_out == 2

    def test_rounding_is_no_correlation(self, rng):
        """Cells of the same values in another order: equal but for their rounding."""
        maps = np.empty((1, 6, 6))
        values = rng.normal(size=9) * 10.0 ** np.arange(9)
        for y in (0, 3):
            for x in (0, 3):
                maps[0, y : y + 3, x : x + 3] = rng.permutation(values).reshape(3, 3)
        images = rng.random((1, 6, 6, 1))
        model = LinearModel(rng)
        sums = maps.reshape(2, 3, 2, 3).sum((1, 3))
        assert 0 < np.ptp(sums) < 1e-14 * np.abs(values).sum()
        assert mu_fidelity(model, images, maps, 0, grid=2, share=0.5).left_out == 1

    def test_pixels_belong_to_the_cell_of_their_centre(self):
        seen = []

        def predict(images):
            seen.extend(images[:, 0, :, 0])
            return images[:, 0, :, 0] / 2

        images = np.ones((1, 4, 4, 1))
        mu_fidelity(predict, images, images[..., 0], 0, grid=3, share=0.4)
        removed = np.equal(seen, 0)
        np.testing.assert_array_equal(removed[:, 1], removed[:, 2])
        assert (removed[:, 0] != removed[:, 1]).any()
        assert (removed[:, 3] != removed[:, 2]).any()

    def test_constant_model_is_left_out(self, images):
        def predict(images):
            return np.full((len(images), 1), 0.7)

        result = mu_fidelity(predict, images, images[..., 0], 0, samples=20)
        assert result.left_out == 2

    def test_rounding_of_a_probability_is_no_change(self, images):
        nearly = np.nextafter(np.float32(1), np.float32(0))

        def predict(images):
            return np.where(images[:, 0, 0, :1] > 0, nearly, np.float32(1))

        result = mu_fidelity(predict, images, images[..., 0], 0, samples=20)
        assert result.left_out == 2

    def test_ranks_that_rounding_alone_would_tell_apart(self):
        """Cells of the same values: what a subset gets depends on how many it has."""
        map_ = np.array([[0.1, 0.7, 0.1], [0.7, 0.1, 0.7], [0.1, 0.7, 0.1]])
        result = mu_fidelity(
            lambda images: images[..., 0][:, map_ > 0.5].sum(axis=1)[:, None] / 9,
            np.ones((1, 3, 3, 1)),
            map_[None],
            1,
            grid=3,
            share=0.5,
            correlation="spearman",
        )
        np.testing.assert_allclose(result.values, [1], atol=1e-12)

    def test_tied_ranks(self):
        """Four cells, of which one counts: a subset of two has it or not."""
        images = np.ones((1, 2, 2, 1))
        result = mu_fidelity(
            lambda images: images[:, 0, 0],
            images,
            np.array([[[1.0, 0], [0, 0]]]),
            1,
            grid=2,
            share=0.5,
            correlation="spearman",
        )
        np.testing.assert_allclose(result.values, [1], atol=1e-12)

    @pytest.mark.parametrize("grid, share, cells", [(9, 0.2, 16), (4, 0.5, 8)])
    def test_subsets_are_of_one_size(self, grid, share, cells):
        seen = []

        def predict(images):
            seen.extend(images.mean((1, 2, 3)))
            return images.mean((1, 2))

        images = np.ones((1, 36, 36, 1))
        maps = np.arange(36 * 36.0).reshape(1, 36, 36)
        mu_fidelity(predict, images, maps, 0, grid=grid, share=share, samples=31)
        assert len(seen) == 32
        np.testing.assert_allclose(seen[1:], 1 - cells / grid**2, atol=1e-6)

    def test_seed(self, linear, images, rng):
        maps = rng.random((2, 20, 22))
        first, same, other = (
            mu_fidelity(linear, images, maps, 0, samples=20, seed=seed).values
            for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(first, same)
        assert (first != other).all()

    @pytest.mark.parametrize(
        "options",
        [
            {"samples": 1},
            {"share": 0},
            {"share": 1},
            {"share": float("nan")},
            {"share": 0.001},
            {"grid": 0},
            {"grid": 1},
            {"correlation": "kendall"},
        ],
        ids=str,
    )
    def test_bad_options(self, linear, images, options):
        with pytest.raises(ValueError, match=r"Expected .*Received"):
            mu_fidelity(linear, images, images[..., 0], 0, **options)
