"""Occlusion, LAP, and maps that know nothing of the network."""

import importlib

import keras
import numpy as np
import pytest
from explainer_problem import (
    CLASSES,
    IMAGES,
    LABELS,
    SHAPE,
    assert_maps_close,
    linear_model,
)

import keras_lap
from keras_lap.evaluation.explainers import (
    LAP,
    CenterGaussian,
    Edge,
    Occlusion,
    Random,
)
from keras_lap.explanation.concept_reader import ConceptReader

pytest_plugins = ["explainer_problem"]
pytestmark = pytest.mark.usefixtures("eager")


class TestOcclusion:
    def test_is_the_fall_of_the_probability(self, network):
        """Patches of one pixel, so that nothing is interpolated."""
        maps = Occlusion(patch_size=1, value=0.5).explain(
            network, IMAGES[:1], LABELS[:1]
        )
        expected = np.empty(SHAPE[:2])
        clear = network(IMAGES[:1]).numpy()[0, LABELS[0]]
        covered = np.repeat(IMAGES[:1], expected.size, axis=0)
        rows, columns = np.indices(SHAPE[:2]).reshape(2, -1)
        covered[np.arange(expected.size), rows, columns] = 0.5
        expected = clear - network(covered).numpy()[:, LABELS[0]]
        assert_maps_close(maps[0], expected.reshape(SHAPE[:2]), tolerance=1e-4)

    @pytest.mark.parametrize("patch_size", [4, 5])
    def test_patches_of_images_that_are_not_square(self, patch_size):
        """Only one pixel counts; its patch is where the map has its maximum."""
        model = linear_model("sigmoid")
        kernel = np.zeros((*SHAPE, CLASSES))
        kernel[9, 2] = 1
        model.layers[-1].kernel.assign(kernel.reshape(-1, CLASSES))
        model.layers[-1].bias.assign(np.zeros(CLASSES))
        images = np.ones((1, *SHAPE))
        (map_,) = Occlusion(patch_size, value=0).explain(model, images, 1)
        row, column = np.unravel_index(map_.argmax(), map_.shape)
        assert row // patch_size == 9 // patch_size
        assert column // patch_size == 2 // patch_size
        assert map_.max() == pytest.approx(1 / (1 + np.exp(-3)) - 0.5, rel=1e-5)
        assert map_[0, 7] == 0

    def test_is_that_of_tf_explain_where_that_is_right(self):
        """Up to the probability itself, on squares in [0, 255]."""
        from tf_explain.core.occlusion_sensitivity import OcclusionSensitivity

        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Flatten(),
                keras.layers.Dense(3, activation="softmax"),
            ]
        )
        image = 255 * np.random.default_rng(0).random((8, 8, 1)).astype("float32")
        theirs = OcclusionSensitivity().get_sensitivity_map(model, image, 1, 4)
        ours = Occlusion(4, value=127.5).explain(model, image[None], 1)[0]
        clear = model(image[None]).numpy()[0, 1]
        np.testing.assert_allclose(ours, theirs - (1 - clear), atol=1e-6)

    def test_covers_with_the_mean_of_the_image(self):
        model = linear_model()
        images = np.broadcast_to(np.array([1.0, 2.0, 3.0], "float32"), (2, *SHAPE))
        assert (Occlusion().explain(model, images, 0) == 0).all()


class TestLAP:
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls):
        keras.utils.set_random_seed(1)
        return cls.network(concepts=CLASSES)

    @staticmethod
    def network(concepts):
        return keras.Sequential(
            [
                keras.Input(SHAPE),
                keras_lap.LAPooling2D(2, concepts=1, name="shallow"),
                keras.layers.Conv2D(4, 3, name="features"),
                keras_lap.GlobalLAPooling2D(concepts=concepts, name="head"),
                keras.layers.Dense(CLASSES, activation="softmax"),
            ]
        )

    def every(self, model, **options):
        return keras_lap.explain(model, IMAGES, verbose=0, **options).maps

    @pytest.mark.parametrize("batch_size", [2, 32])
    def test_is_the_map_of_the_class(self, model, batch_size):
        expected = self.every(model)[np.arange(5), ..., LABELS]
        actual = LAP(batch_size=batch_size).explain(model, IMAGES, LABELS)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
        assert (actual[0] != actual[3]).any()

    def test_as_many_concepts_as_classes_or_one(self):
        model = self.network(concepts=2)
        with pytest.raises(ValueError, match=r"of the 4 classes.*2 concepts"):
            LAP().explain(model, IMAGES, 0)
        maps = LAP(class_concepts=[1, 0, 0, 1]).explain(model, IMAGES, 0)
        np.testing.assert_allclose(maps, self.every(model)[..., 1], rtol=1e-6)

    def test_options(self, model):
        expected = self.every(model, combine="layer", layers=["head"])
        actual = LAP("layer", ["head"]).explain(model, IMAGES, LABELS)
        np.testing.assert_allclose(actual, expected[np.arange(5), ..., LABELS])

    def test_concepts_that_are_no_classes(self, model):
        of_class = np.array([3, 3, 0, 1])
        expected = self.every(model)[np.arange(5), ..., of_class[LABELS]]
        actual = LAP(class_concepts=of_class).explain(model, IMAGES, LABELS)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
        actual = LAP(class_concepts="highest").explain(model, IMAGES, LABELS)
        np.testing.assert_allclose(actual, self.every(model).max(axis=-1), rtol=1e-6)

    def test_some_concepts_at_a_time(self, model, monkeypatch):
        # The function hides its module.
        module = importlib.import_module("keras_lap.explanation.concept_maps")
        monkeypatch.setattr(module, "_AT_ONCE", 3)
        actual = LAP(class_concepts="highest").explain(model, IMAGES, LABELS)
        np.testing.assert_allclose(actual, self.every(model).max(axis=-1), rtol=1e-6)

    def test_several_concepts_of_a_class(self, model, monkeypatch):
        whole = ConceptReader.read
        speaks = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]])
        actual = LAP(class_concepts=speaks).explain(model, IMAGES, LABELS)
        chosen = speaks[LABELS][:, None, None]
        expected = (self.every(model) * chosen).max(axis=-1)
        np.testing.assert_allclose(actual, expected, rtol=1e-6)
        read = []
        monkeypatch.setattr(
            ConceptReader, "read", lambda *given: read.append(given[2]) or whole(*given)
        )
        LAP(class_concepts=speaks).explain(model, IMAGES[:1], 0)
        assert read == [[0, 1]]
        assert (LAP(class_concepts=speaks).explain(model, IMAGES[:2], 2) == 0).all()
        assert len(read) == 1
        actual = LAP(class_concepts=np.eye(4)[::-1]).explain(model, IMAGES, LABELS)
        expected = self.every(model)[np.arange(5), ..., 3 - LABELS]
        np.testing.assert_allclose(actual, expected, rtol=1e-6)

    @pytest.mark.parametrize("wrong", [[0, 1, 1, 7], np.eye(4)])
    def test_class_concepts_are_concepts_of_the_model(self, wrong):
        model = self.network(concepts=2)
        with pytest.raises(ValueError, match=r"shape \(4, 2\), to fit.*\(4, ?4?\)"):
            LAP(class_concepts=wrong).explain(model, IMAGES, 0)

    def test_two_concepts_of_a_single_output(self):
        model = keras.Sequential(
            [
                keras.Input(SHAPE),
                keras_lap.GlobalLAPooling2D(concepts=2),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        maps = LAP().explain(model, IMAGES, LABELS % 2)
        expected = self.every(model)[np.arange(5), ..., LABELS % 2]
        np.testing.assert_allclose(maps, expected, rtol=1e-6)

    def test_sizes_may_change_between_calls(self):
        model = keras.Sequential(
            [
                keras.Input((None, None, 3)),
                keras_lap.GlobalLAPooling2D(concepts=2),
                keras.layers.Dense(2),
            ]
        )
        explained = LAP().on(model)
        for size in (8, 12, 8):
            images = np.ones((2, size, size, 3), "float32")
            maps = explained(images, [0, 1])
            expected = keras_lap.explain(model, images, verbose=0).maps
            np.testing.assert_allclose(maps[0], expected[0, ..., 0], rtol=1e-6)

    def test_single_concept_stands_for_all_classes(self):
        model = self.network(concepts=1)
        actual = LAP().explain(model, IMAGES, LABELS)
        np.testing.assert_allclose(actual, self.every(model)[..., 0], rtol=1e-6)
        with pytest.raises(ValueError, match=r"from 0 to 3.*Received: \[9\]"):
            LAP().explain(model, IMAGES, 9)

    @pytest.mark.parametrize(
        "options, targets, message",
        [
            ({}, 4, r"from 0 to 3.*Received: \[4\]"),
            ({"class_concepts": "highest"}, -5, r"from 0 to 3.*Received: \[-5\]"),
            ({"class_concepts": "lowest"}, 0, "class_concepts='lowest'"),
            ({"class_concepts": [0, -1]}, 0, r"ints \(classes,\).*\[0, -1\]"),
            ({"class_concepts": [[0.5, 1]]}, 0, "of zeros and ones"),
            ({"class_concepts": [0, 1]}, 1, r"shape \(4, 4\).*of shape \(2,\)"),
            ({"combine": "sum"}, 0, "combine"),
        ],
    )
    def test_bad_arguments(self, model, options, targets, message):
        with pytest.raises(ValueError, match=message):
            LAP(**options).explain(model, IMAGES, targets)

    def test_model_without_lap(self, network):
        with pytest.raises(ValueError, match="LAP layer"):
            LAP().explain(network, IMAGES, LABELS)


class TestBaselines:
    def test_random(self):
        maps = Random(seed=1).explain(None, IMAGES, 0)
        assert maps.min() >= 0 and maps.max() < 1 and len(np.unique(maps)) > 400
        np.testing.assert_array_equal(Random(seed=1).explain(None, IMAGES, 2), maps)
        assert (Random(seed=2).explain(None, IMAGES, 0) != maps).all()

    def test_centre_of_even_and_odd_sizes(self):
        maps = CenterGaussian(width=0.2).explain(None, np.zeros((2, 9, 6, 1)), 0)
        np.testing.assert_array_equal(maps, maps[:, ::-1])
        np.testing.assert_array_equal(maps, maps[:, :, ::-1])
        # One standard deviation is a fifth of the height.
        share = maps[0, 4 + 1, 2] / maps[0, 4, 2]
        assert share == pytest.approx(np.exp(-((1 / 9 / 0.2) ** 2) / 2), rel=1e-5)

    def test_edges_are_those_of_opencv(self):
        import cv2

        image = IMAGES[0].mean(axis=-1)
        x, y = (
            cv2.Sobel(image, cv2.CV_32F, *order, borderType=cv2.BORDER_REPLICATE)
            for order in ((1, 0), (0, 1))
        )
        assert_maps_close(Edge().explain(None, IMAGES, 0)[0], np.hypot(x, y))
