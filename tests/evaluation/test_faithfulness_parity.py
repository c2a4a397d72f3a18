"""The same images, maps and settings give what other libraries give.

Where they differ by design, the difference is shown as well.
"""

import importlib

import keras
import numpy as np
import pytest
from parity import import_or_skip

from keras_lap.evaluation import (
    average_drop,
    average_gain,
    deletion,
    increase_in_confidence,
    insertion,
    mu_fidelity,
    road,
)
from keras_lap.evaluation.faithfulness.noisy_linear_imputation import (
    noisy_linear_imputation,
)

SIZE = 10
TARGETS = np.array([0, 1, 2])
FLOAT32 = {"rtol": 0, "atol": 2e-6}


def import_grad_cam(module):
    """A module of pytorch-grad-cam, such as `"metrics.road"`.

    It imports torchvision, which is compiled for a torch with CUDA: beside one without,
    none of its operations are there, and it stops at two whose signatures it needs. No
    metric runs them, so the signatures are enough.
    """
    torch = import_or_skip("torch")
    try:
        import_or_skip("torchvision")
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(
                f"torchvision::{name}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )
    return import_or_skip(f"pytorch_grad_cam.{module}")


@pytest.fixture
def images(rng):
    return rng.random((3, SIZE, SIZE, 3)).astype("float32")


@pytest.fixture
def maps(rng):
    """Without ties, at least zero."""
    return rng.permuted(
        np.tile(np.arange(SIZE**2, dtype="float32"), (3, 1)), axis=1
    ).reshape(3, SIZE, SIZE)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


class TestXplique:
    @pytest.fixture
    def metrics(self):
        return import_or_skip("xplique.metrics")

    @pytest.fixture
    def per_image(self, network, images, maps):
        """Their metric of each image by itself; they return the mean only."""

        def values(metric, maps=maps, **options):
            return [
                metric(
                    network,
                    images[i : i + 1],
                    np.eye(3, dtype="float32")[TARGETS[i : i + 1]],
                    **options,
                ).evaluate(maps[i : i + 1])
                for i in range(3)
            ]

        return values

    @pytest.mark.parametrize("steps", [10, 20])
    @pytest.mark.parametrize("baseline", [0.0, 0.4])
    def test_deletion_and_insertion(
        self, metrics, network, images, maps, per_image, steps, baseline
    ):
        options = {"step": 100 // steps, "baseline": baseline}
        theirs = {"steps": steps, "baseline_mode": baseline}
        for game, metric in (
            (deletion, metrics.Deletion),
            (insertion, metrics.Insertion),
        ):
            result = game(network, images, maps, TARGETS, **options)
            np.testing.assert_allclose(
                result.values, per_image(metric, **theirs), **FLOAT32
            )

    def test_ties_fall_to_the_last_pixel(self, metrics, network, images):
        """Theirs reads a constant map as one that is highest at the lower right."""
        constant = np.zeros((3, SIZE, SIZE), dtype="float32")
        rising = np.arange(SIZE**2, dtype="float32").reshape(1, SIZE, SIZE)
        rising = np.repeat(rising, 3, axis=0)
        metric = metrics.Deletion(
            network, images, np.eye(3, dtype="float32")[TARGETS], steps=10
        )
        assert metric.evaluate(constant) == metric.evaluate(rising)
        ours = [deletion(network, images, m, TARGETS).mean for m in (constant, rising)]
        assert ours[0] != pytest.approx(ours[1], abs=1e-4)

    def test_average_drop_increase_and_gain(
        self, metrics, network, images, maps, per_image
    ):
        for ours, theirs in (
            (average_drop, metrics.AverageDropMetric),
            (average_gain, metrics.AverageGainMetric),
            (increase_in_confidence, metrics.AverageIncreaseMetric),
        ):
            result = ours(network, images, maps, TARGETS)
            np.testing.assert_allclose(result.values, per_image(theirs), **FLOAT32)
        constant = np.ones_like(maps)
        np.testing.assert_allclose(
            average_drop(network, images, constant, TARGETS).values,
            per_image(metrics.AverageDropMetric, maps=constant),
            **FLOAT32,
        )

    def test_signed_maps_differ(self, metrics, network, images, maps, per_image):
        """They take the absolute value first: what speaks against the class counts."""
        signed = maps - 50
        np.testing.assert_allclose(
            average_drop(network, images, np.abs(signed), TARGETS).values,
            per_image(metrics.AverageDropMetric, maps=signed),
            **FLOAT32,
        )

    @pytest.mark.parametrize("grid, share", [(5, 0.2), (9, 0.2), (None, 0.1)])
    def test_mu_fidelity(
        self, metrics, network, images, maps, monkeypatch, grid, share
    ):
        """With the same subsets; theirs are of any size, the same for all images."""
        tf = import_or_skip("tensorflow")
        cells = (grid or SIZE) ** 2

        def subsets(self, inputs, count):
            generator = np.random.default_rng([0, 0])
            kept = np.ones((count, cells), dtype="float32")
            for row in kept:
                row[generator.choice(cells, round(share * cells), replace=False)] = 0
            kept = kept.reshape(count, grid or SIZE, grid or SIZE, 1)
            kept = tf.image.resize(kept, (SIZE, SIZE), method="nearest")[None]
            changed = tf.reshape(inputs[:, None] * kept, (-1, SIZE, SIZE, 3))
            return changed, kept

        monkeypatch.setattr(metrics.MuFidelity, "_perturb_samples", subsets)
        for i in range(3):
            given = network, images[i : i + 1]
            theirs = metrics.MuFidelity(
                *given,
                np.eye(3, dtype="float32")[TARGETS[i : i + 1]],
                grid_size=grid,
                subset_percent=share,
                nb_samples=50,
            ).evaluate(maps[i : i + 1])
            ours = mu_fidelity(
                *given,
                maps[i : i + 1],
                TARGETS[i : i + 1],
                samples=50,
                grid=grid,
                share=share,
                correlation="spearman",
            )
            # Two drops closer than float32 tells apart may change places.
            assert ours.mean == pytest.approx(theirs, abs=2e-3)

    def test_subsets_of_any_size_favour_random_maps(self, metrics, rng):
        """Theirs draws each cell by itself: the larger subset has the larger drop."""
        model = keras.Sequential(
            [
                keras.Input((18, 18, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(2, activation="softmax"),
            ]
        )
        weights = np.zeros((18 * 18, 2), dtype="float32")
        weights[:, 0] = rng.random(18 * 18) / 50
        model.layers[-1].set_weights([weights, np.zeros(2)])
        images = rng.random((4, 18, 18, 1)).astype("float32")
        one_hot = np.eye(2, dtype="float32")[[0] * 4]
        theirs = metrics.MuFidelity(model, images, one_hot)
        random = rng.random((4, 18, 18)).astype("float32")
        assert theirs.evaluate(random) > 0.8
        assert abs(mu_fidelity(model, images, random, 0).mean) < 0.2
        constant = np.ones_like(random)
        assert theirs.evaluate(constant) > 0.8
        assert mu_fidelity(model, images, constant, 0).left_out == 4

    def test_undefined_correlation_is_zero(self, metrics, images, maps):
        """Theirs counts a model that does not change as a correlation of 0."""
        model = keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 3)),
                keras.layers.Flatten(),
                keras.layers.Dense(3, "softmax", kernel_initializer="zeros"),
            ]
        )
        one_hot = np.eye(3, dtype="float32")[TARGETS]
        assert metrics.MuFidelity(model, images, one_hot).evaluate(maps) == 0
        assert mu_fidelity(model, images, maps, TARGETS).left_out == 3


def channels_first(images):
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def linear_softmax(rng, channels):
    """Softmax of a linear layer, as a torch module and as a function."""
    torch = import_or_skip("torch")
    pixels = channels * SIZE**2
    linear = torch.nn.Linear(pixels, 3, bias=False)
    weights = rng.normal(size=(3, pixels), scale=0.3).astype("float32")
    linear.weight.data = torch.from_numpy(weights)
    module = torch.nn.Sequential(
        torch.nn.Flatten(), linear, torch.nn.Softmax(dim=1)
    ).eval()

    def predict(images):
        with torch.no_grad():
            return module(torch.from_numpy(channels_first(images))).numpy()

    return module, predict


class TestQuantus:
    """On gray images: theirs repeats a map for each channel and flips each alone."""

    @pytest.fixture
    def quantus(self):
        return import_or_skip("quantus")

    @pytest.fixture
    def images(self, images):
        return images[..., :1]

    @pytest.fixture
    def model(self, rng):
        return linear_softmax(rng, channels=1)

    @pytest.fixture
    def call(self, model, images, maps):
        def call(metric, count=3):
            return metric(
                model=model[0],
                x_batch=channels_first(images)[:count],
                y_batch=TARGETS[:count],
                a_batch=maps[:count, None],
                channel_first=True,
                softmax=True,
                device="cpu",
            )

        return call

    def test_pixel_flipping_is_deletion(self, quantus, model, images, maps, call):
        """Without the point before the first step."""
        metric = quantus.PixelFlipping(
            features_in_step=SIZE,
            perturb_baseline=0.0,
            normalise=False,
            disable_warnings=True,
        )
        ours = deletion(model[1], images, maps, TARGETS).curve.y
        np.testing.assert_allclose(ours[:, 1:], call(metric), **FLOAT32)

    def test_faithfulness_correlation(
        self, quantus, model, images, maps, call, monkeypatch
    ):
        """With the same subsets, which they draw from NumPy's global state."""
        metric = quantus.FaithfulnessCorrelation(
            nr_runs=30,
            subset_size=20,
            perturb_baseline=0.0,
            normalise=False,
            return_aggregate=False,
            disable_warnings=True,
        )
        monkeypatch.setattr(np.random, "choice", np.random.default_rng([0, 0]).choice)
        ours = mu_fidelity(
            model[1], images[:1], maps[:1], 0, samples=30, grid=None, share=0.2
        )
        np.testing.assert_allclose(ours.values, call(metric, count=1), atol=1e-5)

    def test_road(self, quantus, model, images, maps, call):
        """The accuracy at each percentage, over all images."""
        percentages = [10, 20, 30, 40, 50, 70, 90]
        metric = quantus.ROAD(
            percentages=percentages, noise=0.0, normalise=False, disable_warnings=True
        )
        theirs = call(metric)
        options = {"measure": "accuracy", "noise": 0, "percentages": percentages}
        curve = road(model[1], images, maps, TARGETS, **options).curve
        np.testing.assert_allclose(curve.mean, [theirs[p] for p in percentages])
        assert 0 < curve.mean.sum() < len(percentages)

    def test_road_of_colour_images_fails(self, quantus, rng):
        """Theirs takes the place of a value of a channel for that of a pixel."""
        metric = quantus.ROAD(percentages=[50], disable_warnings=True)
        with pytest.raises(IndexError):
            metric(
                model=linear_softmax(rng, channels=3)[0],
                x_batch=rng.random((3, 3, SIZE, SIZE)).astype("float32"),
                y_batch=TARGETS,
                a_batch=rng.random((3, 1, SIZE, SIZE)),
                channel_first=True,
                softmax=True,
                device="cpu",
            )

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
    def test_imputation(self, quantus, images, rng, share):
        theirs = importlib.import_module("quantus.functions.perturb_func")
        for image in images:
            missing = rng.random((SIZE, SIZE)) < share
            expected = theirs.noisy_linear_imputation(
                channels_first(image[None])[0], np.flatnonzero(missing), noise=0.0
            )
            ours = noisy_linear_imputation(image, missing, 0.0, rng)
            np.testing.assert_allclose(ours[..., 0], expected[0], **FLOAT32)


class TestGradCam:
    @pytest.fixture
    def model(self, rng):
        return linear_softmax(rng, channels=3)

    @pytest.fixture
    def call(self, model, images):
        torch = import_or_skip("torch")

        def call(metric, maps, **options):
            return metric(
                torch.from_numpy(channels_first(images)),
                maps,
                [lambda output, c=c: output[c] for c in TARGETS],
                model[0],
                **options,
            )

        return call

    def test_road(self, model, images, maps, call):
        """Their percentile is of pixels kept; here they are just as many."""
        theirs = import_grad_cam("metrics.road")
        confidence = import_grad_cam("metrics.perturbation_confidence")
        percentages = [10, 20, 50, 90]
        for order, remove in (
            ("morf", confidence.RemoveMostRelevantFirst),
            ("lerf", confidence.RemoveLeastRelevantFirst),
        ):
            curve = road(
                model[1],
                images,
                maps,
                TARGETS,
                order=order,
                percentages=percentages,
                noise=0,
            ).curve
            expected = [
                call(
                    confidence.PerturbationConfidenceMetric(
                        remove(100 - percentage, theirs.NoisyLinearImputer(noise=0))
                    ),
                    maps,
                    return_diff=False,
                )
                for percentage in percentages
            ]
            np.testing.assert_allclose(curve.y, np.transpose(expected), **FLOAT32)

    def test_combined_road(self, model, images, maps, call):
        """At all tenths, with noise on both sides."""
        theirs = call(import_grad_cam("metrics.road").ROADCombined(), maps)
        ours = road(
            model[1],
            images,
            maps,
            TARGETS,
            order="combined",
            percentages=range(10, 100, 10),
        )
        np.testing.assert_allclose(ours.values, theirs, rtol=0, atol=0.02)

    def test_tied_pixels_are_removed_together(self, model, images, call):
        """Theirs removes all pixels at the threshold: here all of a constant map."""
        theirs = import_grad_cam("metrics.road")
        constant = np.ones((3, SIZE, SIZE), dtype="float32")
        nothing, whole = (
            model[1](x)[np.arange(3), TARGETS] for x in (0 * images, images)
        )
        np.testing.assert_allclose(
            call(theirs.ROADMostRelevantFirst(90), constant),
            nothing - whole,
            rtol=0,
            atol=0.05,
        )
        ours = road(model[1], images, constant, TARGETS, percentages=[10]).values
        assert (np.abs(ours - nothing) > 0.1).all()

    def test_drop_is_absolute(self, model, images, maps, call):
        """Theirs is not divided by the probability, and scales no map."""
        theirs = import_grad_cam("metrics.cam_mult_image")
        scaled = maps / maps.max((1, 2), keepdims=True)
        whole = model[1](images)[np.arange(3), TARGETS]
        drop = average_drop(model[1], images, maps, TARGETS).values
        np.testing.assert_allclose(
            drop * whole, call(theirs.DropInConfidence(), scaled), **FLOAT32
        )
        np.testing.assert_array_equal(
            increase_in_confidence(model[1], images, maps, TARGETS).values,
            call(theirs.IncreaseInConfidence(), scaled),
        )
