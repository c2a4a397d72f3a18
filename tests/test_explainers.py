"""Explainers against models whose right maps are known."""

import copy
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_lap
from keras_lap.evaluation import grad_cam
from keras_lap.evaluation.class_score import ClassScore
from keras_lap.evaluation.explainers import (
    LAP,
    CenterGaussian,
    Edge,
    Explainer,
    GradCAM,
    IntegratedGradients,
    Occlusion,
    Random,
    SmoothGrad,
    VanillaGradients,
    Xplique,
    as_explainer,
    as_xplique,
)
from keras_lap.explanation.concept_reader import ConceptReader

CLASSES = 4
SHAPE = 12, 8, 3
IMAGES = np.random.default_rng(0).random((5, *SHAPE)).astype("float32")
LABELS = np.array([2, 0, 3, 2, 1])
FROM_SCORES = [
    VanillaGradients(),
    SmoothGrad(samples=4),
    IntegratedGradients(steps=4),
    GradCAM(),
]
OF_MODELS = [*FROM_SCORES, Occlusion(patch_size=4)]
WITH_NAMES = {"argvalues": OF_MODELS, "ids": lambda explainer: explainer.name}

pytestmark = pytest.mark.usefixtures("eager")


def linear_model(activation=None, scale=1.0):
    model = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, activation),
        ]
    )
    kernel, bias = model.layers[-1].weights
    kernel.assign(scale * np.random.default_rng(1).normal(size=kernel.shape))
    bias.assign(np.arange(CLASSES))
    return model


def weights_of(model, classes):
    kernel = model.layers[-1].kernel.numpy()
    return kernel.T[classes].reshape(-1, *SHAPE)


def small_network(data_format="channels_last", channels=3, **head):
    height, width, _ = SHAPE
    last = data_format == "channels_last"
    options = {"data_format": data_format}
    return keras.Sequential(
        [
            keras.Input((height, width, channels) if last else (channels, 12, 8)),
            keras.layers.Conv2D(5, 3, activation="tanh", name="features", **options),
            keras.layers.GlobalAveragePooling2D(**options),
            keras.layers.Dense(CLASSES, activation="softmax", **head),
        ]
    )


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(7)
    return small_network()


def changed(explainer, **attributes):
    """A copy of an explainer with other attributes."""
    explainer = copy.copy(explainer)
    vars(explainer).update(attributes)
    return explainer


def assert_close(actual, expected, tolerance=1e-5):
    assert actual.dtype == np.float32
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(
        actual, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max()
    )


class TestGradients:
    @pytest.mark.parametrize("activation", [None, "softmax", "sigmoid"])
    def test_of_a_linear_score_are_its_weights(self, activation):
        model = linear_model(activation)
        expected = np.abs(weights_of(model, LABELS)).sum(axis=-1)
        for explainer in (VanillaGradients(), SmoothGrad(samples=3)):
            assert_close(explainer.explain(model, IMAGES, LABELS), expected)
        expected = np.abs(IMAGES * weights_of(model, LABELS)).sum(axis=-1)
        assert_close(
            IntegratedGradients(steps=3).explain(model, IMAGES, LABELS), expected
        )

    def test_do_not_vanish_behind_a_sure_softmax(self):
        model = linear_model("softmax", scale=1e4)
        classes = model(IMAGES).numpy().argmax(axis=-1)
        assert set(np.unique(model(IMAGES))) == {0, 1}
        expected = np.abs(weights_of(model, classes)).sum(axis=-1)
        assert_close(SmoothGrad(samples=2).explain(model, IMAGES, classes), expected)

    @pytest.mark.parametrize(
        "way, reduce",
        [
            ("absolute_sum", lambda values: np.abs(values).sum(axis=-1)),
            ("absolute_max", lambda values: np.abs(values).max(axis=-1)),
            ("sum", lambda values: values.sum(axis=-1)),
        ],
    )
    def test_channels(self, way, reduce):
        model = linear_model()
        actual = VanillaGradients(channels=way).explain(model, IMAGES, LABELS)
        assert_close(actual, reduce(weights_of(model, LABELS)))

    def test_integrated_gradients_add_up_to_the_change_of_the_score(self, network):
        logits = keras.Model(network.inputs[0], network.layers[-2].output)

        def score(images):
            scores = logits(images) @ network.layers[-1].kernel
            return np.asarray(scores)[np.arange(len(images)), LABELS]

        maps = IntegratedGradients(steps=64, channels="sum").explain(
            network, IMAGES, LABELS
        )
        expected = score(IMAGES) - score(np.zeros_like(IMAGES))
        # The ends of the way count twice as much as in the trapezoidal rule.
        np.testing.assert_allclose(maps.sum(axis=(1, 2)), expected, rtol=0.02)

    def test_integrated_gradients_by_hand(self, network):
        """The mean of the gradients at three points, the ends among them."""
        gradients = sum(
            np.asarray(score_gradients(network, share * IMAGES)) / 3
            for share in (0.0, 0.5, 1.0)
        )
        actual = IntegratedGradients(steps=3).explain(network, IMAGES, LABELS)
        assert_close(actual, np.abs(IMAGES * gradients).sum(axis=-1))

    def test_integrated_gradients_are_those_of_tf_explain_times_the_image(
        self, network
    ):
        from tf_explain.core.integrated_gradients import IntegratedGradients as Theirs

        steps = 3
        score = ClassScore(network)
        path = Theirs.generate_interpolations(IMAGES, steps).astype(np.float32)
        gradients = Theirs.get_integrated_gradients.python_function(
            path, score.of(np.repeat(LABELS, steps)), 0, steps
        )
        actual = IntegratedGradients(steps, channels="sum")
        assert_close(
            actual.explain(network, IMAGES, LABELS),
            (IMAGES * gradients).numpy().sum(axis=-1),
        )

    def test_smooth_grad_by_hand(self, network):
        noise = np.random.default_rng(3).normal(size=(5, 2, *SHAPE))
        noise *= 0.1 * np.ptp(IMAGES, axis=(1, 2, 3))[:, None, None, None, None]
        gradients = sum(
            np.asarray(score_gradients(network, IMAGES + noise[:, draw])) / 2
            for draw in (0, 1)
        )
        explainer = SmoothGrad(samples=2, noise=0.1, seed=3)
        for _ in range(2):
            actual = explainer.explain(network, IMAGES, LABELS)
            assert_close(actual, np.abs(gradients).sum(axis=-1))

    @pytest.mark.parametrize("activation", ["sigmoid", None])
    def test_single_output_speaks_for_class_1(self, activation):
        inputs = keras.Input(SHAPE)
        flat = keras.layers.Flatten()(inputs)
        model = keras.Model(inputs, keras.layers.Dense(1, activation)(flat))
        weights = model.layers[-1].kernel.numpy().reshape(SHAPE).sum(axis=-1)
        signed = VanillaGradients(channels="sum").explain(model, IMAGES[:2], [0, 1])
        assert_close(signed, np.stack([-weights, weights]))
        falls = Occlusion(patch_size=4).explain(
            model, np.repeat(IMAGES[:1], 2, axis=0), [0, 1]
        )
        assert_close(falls[0], -falls[1])


def score_gradients(model, images):
    """Gradients of the logits of `LABELS` of `small_network`."""
    x = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        features = model.layers[1](model.layers[0](x))
        head = model.layers[2]
        score = tf.gather(features @ head.kernel + head.bias, LABELS, batch_dims=1)
    return tape.gradient(score, x)


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
        assert_close(maps[0], expected.reshape(SHAPE[:2]), tolerance=1e-4)

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

    @pytest.mark.parametrize(
        "options, targets, message",
        [
            ({}, 4, r"from 0 to 3.*Received: \[4\]"),
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
        assert_close(Edge().explain(None, IMAGES, 0)[0], np.hypot(x, y))


class TestWorksEverywhere:
    @pytest.mark.parametrize("explainer", **WITH_NAMES)
    def test_nested_models(self, explainer, network):
        inputs = keras.Input(SHAPE)
        outer = keras.Model(inputs, network(keras.layers.Rescaling(2.0)(inputs / 2)))
        assert_close(
            explainer.explain(outer, IMAGES, LABELS),
            explainer.explain(network, IMAGES, LABELS),
            tolerance=1e-4,
        )

    def test_nested_model_called_by_keyword(self, network):
        inputs = keras.Input(SHAPE)
        outer = keras.Model(inputs, network(inputs=inputs))
        explainer = VanillaGradients()
        assert_close(
            explainer.explain(outer, IMAGES, LABELS),
            explainer.explain(network, IMAGES, LABELS),
        )

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_mixed_precision(self, policy, network):
        keras.config.set_dtype_policy(policy)
        try:
            model = small_network(dtype="float32")
        finally:
            keras.config.set_dtype_policy("float32")
        model.set_weights(network.get_weights())
        tolerance = {"mixed_float16": 0.02, "mixed_bfloat16": 0.1}[policy]
        for explainer in FROM_SCORES:
            actual = explainer.explain(model, IMAGES, LABELS)
            expected = explainer.explain(network, IMAGES, LABELS)
            np.testing.assert_allclose(
                actual, expected, atol=tolerance * expected.max()
            )
        # Differences of probabilities in half precision are coarse.
        actual = Occlusion().explain(model, IMAGES, LABELS)
        assert np.isfinite(actual).all() and np.abs(actual).max() > 0

    @pytest.mark.parametrize("explainer", **WITH_NAMES)
    def test_channels_first(self, explainer, network):
        model = small_network("channels_first")
        model.set_weights(network.get_weights())
        # Noise comes in the order of the layout.
        first, last = (
            changed(explainer, data_format=f"channels_{end}", noise=0)
            for end in ("first", "last")
        )
        assert_close(
            first.explain(model, IMAGES.transpose(0, 3, 1, 2), LABELS),
            last.explain(network, IMAGES, LABELS),
            tolerance=1e-4,
        )

    @pytest.mark.parametrize("dtype", ["uint8", "uint16"])
    def test_integer_images(self, dtype, network):
        """A model that takes integers has gradients as well."""
        inputs = keras.Input(SHAPE, dtype=dtype)
        model = keras.Model(inputs, network(keras.layers.Rescaling(1 / 255)(inputs)))
        images = np.round(255 * IMAGES)
        for explainer in (*FROM_SCORES, Occlusion(value=0)):
            actual = explainer.explain(model, images.astype(dtype), LABELS)
            expected = explainer.explain(network, images / 255, LABELS)
            # Gradients are taken to the integers.
            both = (map_ / map_.max() for map_ in (actual, expected))
            np.testing.assert_allclose(*both, atol=1e-4)

    def test_grayscale(self):
        model = small_network(channels=1)
        for explainer in [*OF_MODELS, Edge(), CenterGaussian(), Random()]:
            maps = explainer.explain(model, IMAGES[..., :1], LABELS)
            assert maps.shape == (5, 12, 8) and (maps != 0).any()

    @pytest.mark.parametrize("explainer", **WITH_NAMES)
    def test_batches_and_one_class_for_all(self, explainer, network):
        assert_close(
            changed(explainer, batch_size=2).explain(network, IMAGES, LABELS),
            explainer.explain(network, IMAGES, LABELS),
        )
        assert_close(
            explainer.explain(network, IMAGES, 1),
            explainer.explain(network, IMAGES, np.ones(5, int)),
        )
        assert explainer.explain(network, IMAGES[:0], LABELS[:0]).shape == (0, 12, 8)

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("explainer", **WITH_NAMES)
    def test_model_is_not_changed(self, explainer, network, capsys):
        before = network.to_json(), [weight.numpy() for weight in network.weights]
        explainer.explain(network, IMAGES, LABELS)
        assert network.to_json() == before[0]
        for weight, value in zip(network.weights, before[1], strict=True):
            np.testing.assert_array_equal(weight, value)
        assert capsys.readouterr().out == ""

    def test_weights_are_those_of_the_time(self, network):
        """Also those of the layer whose softmax is taken off."""
        model = small_network()
        VanillaGradients().explain(model, IMAGES, LABELS)
        model.set_weights(network.get_weights())
        for explainer in OF_MODELS:
            assert_close(
                explainer.explain(model, IMAGES, LABELS),
                explainer.explain(network, IMAGES, LABELS),
            )


class TestInterface:
    def test_grad_cam_is_the_function(self, network):
        np.testing.assert_array_equal(
            GradCAM("features").explain(network, IMAGES, LABELS),
            grad_cam(network, IMAGES, LABELS, "features"),
        )

    def test_names(self):
        assert [explainer.name for explainer in OF_MODELS] == [
            "VanillaGradients",
            "SmoothGrad",
            "IntegratedGradients",
            "GradCAM",
            "Occlusion",
        ]
        assert Edge(name="edges").name == "edges"

    def test_callables(self):
        def red(images, targets):
            assert targets.tolist() == LABELS.tolist()
            return images[..., 0]

        explainer = as_explainer(red)
        assert explainer.name == "red"
        assert as_explainer(explainer, "other") is explainer
        np.testing.assert_array_equal(
            explainer.explain(None, IMAGES, LABELS), IMAGES[..., 0]
        )

    @pytest.mark.parametrize("wrong", [Edge, "Edge", None])
    def test_neither_explainer_nor_callable(self, wrong):
        with pytest.raises(TypeError, match="Expected an Explainer, or a callable"):
            as_explainer(wrong)

    def test_subclass(self, network):
        class Scaled(Explainer):
            def prepare(self, model):
                return lambda images, targets: (
                    images.max(axis=-1) * model.count_params()
                )

        maps = Scaled().explain(network, IMAGES, LABELS)
        assert_close(maps, IMAGES.max(axis=-1) * network.count_params())

    @pytest.mark.parametrize(
        "make, message",
        [
            (lambda: Edge(batch_size=0), "`batch_size` to be a positive"),
            (lambda: Edge(data_format="NHWC"), "channels_first"),
            (lambda: VanillaGradients(channels="mean"), "absolute_max"),
            (
                lambda: IntegratedGradients(steps=1),
                "`steps` to be an integer of at least 2",
            ),
            (lambda: SmoothGrad(samples=8.0), "`samples` to be a positive integer"),
            (lambda: SmoothGrad(noise=float("nan")), "noise of at least 0"),
            (lambda: Occlusion(patch_size=0), "`patch_size` to be a positive"),
            (lambda: CenterGaussian(width=0), "above 0"),
        ],
    )
    def test_bad_options(self, make, message):
        with pytest.raises(ValueError, match=message):
            make()

    @pytest.mark.parametrize("explainer", **WITH_NAMES)
    @pytest.mark.parametrize(
        "arguments, message",
        [
            ({"targets": [0, 1]}, r"shape \(5,\)"),
            ({"targets": np.eye(5)}, "argmax"),
            ({"targets": LABELS + 1}, r"from 0 to 3.*Received: \[4\]"),
            ({"images": IMAGES[0]}, r"images\[None\]"),
        ],
    )
    def test_bad_arguments(self, explainer, arguments, message, network):
        defaults = {"images": IMAGES, "targets": LABELS}
        with pytest.raises(ValueError, match=message):
            explainer.explain(network, **defaults | arguments)

    def test_maps_of_another_shape(self):
        with pytest.raises(ValueError, match=r"\(5, 12, 8\).*\(5, 12, 8, 3\)"):
            as_explainer(lambda images, targets: images).explain(None, IMAGES, 0)

    @pytest.mark.parametrize("explainer", FROM_SCORES, ids=repr)
    def test_missing_package(self, explainer, network, monkeypatch):
        for module in list(sys.modules):
            if module.startswith("tf_explain.core."):
                monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=r"pip install \"keras-lap\[evaluation"):
            explainer.explain(network, IMAGES, LABELS)

    def test_as_xplique(self, network):
        one_hot = np.eye(CLASSES, dtype="float32")[LABELS]
        explainer = as_xplique(VanillaGradients(), network)
        expected = VanillaGradients().explain(network, IMAGES, LABELS)[..., None]
        assert_close(explainer(tf.constant(IMAGES), one_hot).numpy(), expected)
        dataset = tf.data.Dataset.from_tensor_slices((IMAGES, one_hot)).batch(2)
        assert_close(explainer.explain(dataset).numpy(), expected)
        explainer.model = small_network()
        assert (explainer(IMAGES, one_hot).numpy() != expected).any()
        with pytest.raises(ValueError, match=r"one-hot targets \(N, classes\)"):
            explainer(IMAGES, LABELS)

    def test_as_xplique_of_a_single_output(self):
        network = keras.Sequential(
            [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(1)]
        )
        signed = VanillaGradients(channels="sum")
        classes = np.arange(len(IMAGES)) % 2
        maps = as_xplique(signed, network)(IMAGES, classes[:, None].astype("float32"))
        expected = signed.explain(network, IMAGES, classes)
        assert_close(maps.numpy()[..., 0], expected)
        assert expected.any()

    def test_a_last_layer_that_is_called_by_keyword(self):
        image = keras.Input(SHAPE)
        x = keras.layers.Flatten()(image)
        scores = keras.layers.Dense(3)(x)
        given = keras.layers.Softmax()(inputs=scores)
        score = ClassScore(keras.Model(image, given)).of_all
        assert_close(score(IMAGES), keras.Model(image, scores)(IMAGES))
        dense = keras.layers.Dense(3, activation="softmax")
        score = ClassScore(keras.Model(image, dense(inputs=x))).of_all
        plain = keras.layers.Dense(3)
        logits = keras.Model(image, plain(x))
        plain.set_weights(dense.get_weights())
        assert_close(score(IMAGES), logits(IMAGES))

    @pytest.mark.parametrize("activation", ["sigmoid", None])
    def test_xplique_sees_both_classes_of_a_single_output(self, activation):
        model = keras.Sequential(
            [
                keras.Input(SHAPE),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(1, activation, bias_initializer="ones"),
            ]
        )
        scores = Xplique("Rise", data_format="channels_last")._function(model)
        if activation is None:
            with pytest.raises(ValueError, match="End the model in a sigmoid"):
                scores(100 * IMAGES - 200 * IMAGES[::-1])
        else:
            share = model(IMAGES).numpy()
            assert_close(scores(IMAGES), np.hstack([1 - share, share]))
