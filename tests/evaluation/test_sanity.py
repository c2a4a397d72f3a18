"""Checks of explainers, against explainers that must fail and others that must pass."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_lap
from keras_lap.evaluation import (
    parameter_randomisation,
    random_label_control,
    stability,
)
from keras_lap.evaluation.explainers import (
    LAP,
    Edge,
    Explainer,
    Random,
    VanillaGradients,
)
from keras_lap.evaluation.sanity.randomised_layers import layers_with_weights, randomise
from keras_lap.evaluation.sanity.similarity import (
    absolute_spearman,
    similarities,
    spearman,
    ssim,
)

IMAGES = np.random.default_rng(0).random((12, 16, 16, 3)).astype("float32")
LABELS = np.arange(12) % 4
LAYERS = [
    "classes",
    "head/score_head",
    "backbone/norm",
    "backbone/conv",
    "backbone/pool/score_head",
]


@pytest.fixture(scope="module")
def model():
    """A converted network in small: LAP layers, one of them in a nested model."""
    keras.utils.set_random_seed(0)
    backbone = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras_lap.LAPooling2D(2, concepts=4, hidden=3, name="pool"),
            keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
            keras.layers.BatchNormalization(name="norm"),
        ],
        name="backbone",
    )
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            backbone,
            keras_lap.GlobalLAPooling2D(concepts=4, name="head"),
            keras.layers.Dropout(0.5, name="dropout"),
            keras.layers.Dense(4, activation="softmax", name="classes"),
        ]
    )
    # No initial weights, but such as training leaves behind.
    generator = np.random.default_rng(5)
    for weight in model.weights:
        if weight.name not in ("raw_alpha", "gate", "seed_generator_state"):
            weight.assign(generator.uniform(0.1, 1, weight.shape))
    return model


@pytest.fixture
def unchanged(model):
    """Fails if a test leaves the model with other weights."""
    before = [weight.numpy() for weight in model.weights]
    yield
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


class Weights(Explainer):
    """Shows the weights of the last layer: nothing else matters to it."""

    def prepare(self, model):
        def maps_of(images, targets):
            kernel = model.get_layer("classes").kernel.numpy()
            return np.stack([np.resize(kernel, (16, 16))] * len(images))

        return maps_of


class TestSimilarity:
    def test_spearman_is_that_of_scipy(self, rng):
        stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")
        first, second = rng.integers(-6, 6, (2, 9, 8)).astype(float)
        expected = stats.spearmanr(first.ravel(), second.ravel()).statistic
        assert spearman(first, second) == pytest.approx(expected, abs=1e-12)
        expected = stats.spearmanr(*map(np.abs, (first.ravel(), second.ravel())))
        assert absolute_spearman(first, second) == pytest.approx(
            expected.statistic, abs=1e-12
        )

    def test_constant_maps(self, rng):
        map_ = rng.random((4, 4))
        assert spearman(np.ones((4, 4)), np.zeros((4, 4))) == 1
        assert spearman(np.ones((4, 4)), map_) == 0

    def test_ssim_is_that_of_tensorflow(self, rng):
        maps = rng.random((2, 20, 15))
        maps -= maps.min(axis=(1, 2), keepdims=True)
        maps /= maps.max(axis=(1, 2), keepdims=True)
        expected = tf.image.ssim(*maps[..., None].astype("float32"), max_val=1.0)
        assert ssim(*maps) == pytest.approx(float(expected), abs=1e-5)
        # The range of a map does not matter.
        assert ssim(maps[0], 7 * maps[1] - 3) == pytest.approx(ssim(*maps))

    def test_ssim_of_small_maps(self):
        with pytest.raises(ValueError, match="at least 11 x 11"):
            ssim(np.zeros((10, 20)), np.zeros((10, 20)))

    def test_maps_that_are_not_finite_are_left_out(self):
        maps = np.arange(8.0).reshape(2, 2, 2)
        broken = maps.copy()
        broken[1, 0, 0] = np.inf
        values = similarities(maps, broken, spearman)
        np.testing.assert_allclose(values, [1, np.nan])


class TestRandomWeights:
    def test_layers_from_the_output_backward(self, model):
        assert list(layers_with_weights(model)) == LAYERS

    def test_score_head_is_one_layer(self, model):
        weights = layers_with_weights(model)["backbone/pool/score_head"]
        paths = [variable.path for variable, _ in weights]
        assert sum("hidden" in path for path in paths) == 1
        assert sum("logits" in path for path in paths) == 2
        assert sum("norm" in path for path in paths) == 4

    def test_shared_layer_is_listed_once(self):
        shared = keras.layers.Dense(3, name="shared")
        inputs = keras.Input((3,))
        model = keras.Model(inputs, shared(shared(inputs)))
        assert list(layers_with_weights(model)) == ["shared"]

    def test_inner_layers_of_one_name_are_one_entry(self):
        class Block(keras.layers.Layer):
            def __init__(self):
                super().__init__(name="block")
                self.parts = [keras.layers.Dense(5, name="dense") for _ in range(2)]

            def call(self, x):
                return self.parts[1](self.parts[0](x))

        model = keras.Sequential([keras.Input((3,)), Block()])
        (weights,) = layers_with_weights(model).values()
        assert len(weights) == len(model.weights) == 4

    @pytest.mark.parametrize(
        "initializer", [lambda shape, dtype: keras.ops.ones(shape), np.ones(3)]
    )
    def test_initializers_that_cannot_be_drawn_anew(self, initializer):
        layer = keras.layers.Dense(3, bias_initializer=initializer, name="dense")
        model = keras.Sequential([keras.Input((3,)), layer])
        (weights,) = layers_with_weights(model).values()
        assert [each for _, each in weights] == [layer.kernel_initializer, None]

    def test_initializers_of_depthwise_and_separable_layers(self):
        layers = keras.layers
        depthwise = layers.DepthwiseConv2D(3, use_bias=False, name="depthwise")
        separable = layers.SeparableConv2D(4, 3, use_bias=False, name="separable")
        model = keras.Sequential([keras.Input((8, 8, 2)), depthwise, separable])
        found = layers_with_weights(model)
        (initializer,) = (each for _, each in found["depthwise"])
        assert initializer is depthwise.depthwise_initializer
        assert [each for _, each in found["separable"]] == [
            separable.depthwise_initializer,
            separable.pointwise_initializer,
        ]

    def test_statistics_of_images_are_not_learned(self):
        normalization = keras.layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 4.0])
        adapted = keras.layers.Normalization()
        adapted.adapt(np.arange(16.0).reshape(2, 2, 2, 2))
        layers = [normalization, adapted, keras.layers.Conv2D(2, 1, name="conv")]
        model = keras.Sequential([keras.Input((2, 2, 2)), *layers])
        assert list(layers_with_weights(model)) == ["conv"]

    def test_weights_come_from_their_initializers(self):
        layer = keras.layers.Dense(
            50,
            kernel_initializer=keras.initializers.RandomNormal(stddev=3, seed=1),
            bias_initializer="ones",
        )
        layer.build((None, 100))
        trained = layer.kernel.numpy()
        layer.bias.assign(np.zeros(50))
        weights = [(layer.kernel, layer.kernel_initializer)]
        weights += [(layer.bias, layer.bias_initializer)]
        randomise(weights, np.random.default_rng(0))
        drawn = layer.kernel.numpy()
        # The seed of the initializer itself would give the weights of before.
        assert (drawn != trained).all()
        assert abs(drawn.std() - 3) < 0.1
        assert (layer.bias.numpy() == 1).all()
        randomise(weights, np.random.default_rng(0))
        np.testing.assert_array_equal(layer.kernel, drawn)

    def test_weights_without_initializer_are_shuffled(self):
        variable = keras.Variable(np.arange(40.0).reshape(5, 8))
        randomise([(variable, None)], np.random.default_rng(0))
        values = variable.numpy()
        assert (np.sort(values.ravel()) == np.arange(40)).all()
        assert (values != np.arange(40).reshape(5, 8)).any(axis=0).all()

    def test_quantised_weights_are_shuffled(self):
        model = keras.Sequential([keras.Input((40,)), keras.layers.Dense(5)])
        model.layers[0].quantize("int8")
        (weights,) = layers_with_weights(model).values()
        quantised = model.layers[0]._kernel
        before = quantised.numpy()
        randomise(weights, np.random.default_rng(0))
        np.testing.assert_array_equal(np.sort(quantised, None), np.sort(before, None))
        assert (quantised.numpy() != before).any()


@pytest.mark.usefixtures("unchanged")
class TestParameterRandomisation:
    @pytest.mark.parametrize("order", ["cascading", "independent"])
    @pytest.mark.parametrize("explainer", [Edge(), Random()], ids=repr)
    def test_fails_what_ignores_the_model(self, model, explainer, order):
        result = parameter_randomisation(model, IMAGES, LABELS, explainer, order=order)
        np.testing.assert_allclose(result.curve.y, np.ones((12, 5)))
        np.testing.assert_allclose(result.values, np.ones(12))
        assert not result.passes()

    def test_passes_what_depends_on_the_weights(self, model):
        """Of the LAP maps here, every layer has a say but the last."""
        result = parameter_randomisation(model, IMAGES, LABELS, LAP())
        assert result.passes() and result.mean < 0.4
        assert result.layers == tuple(LAYERS)
        np.testing.assert_allclose(result.curve.y[:, 0], np.ones(12))
        # The score head is a layer of its own: the map changes with it.
        assert result.curve.mean[1] < 0.9
        np.testing.assert_array_equal(result.curve.x, [1, 2, 3, 4, 5])
        np.testing.assert_array_equal(result.values, result.curve.y[:, -1])

    def test_threshold(self, model):
        result = parameter_randomisation(
            model, IMAGES, LABELS, VanillaGradients(), similarity="absolute_spearman"
        )
        _, high = result.interval()
        assert 0 < high < 0.8
        assert result.passes(high + 0.01) and not result.passes(high - 0.01)

    def test_independent_randomises_one_layer_at_a_time(self, model):
        result = parameter_randomisation(
            model, IMAGES, LABELS, Weights(), order="independent"
        )
        assert (np.abs(result.curve.y[:, 0]) < 0.9).all()
        np.testing.assert_allclose(result.curve.y[:, 1:], np.ones((12, 4)))
        np.testing.assert_allclose(result.values, result.curve.y.mean(axis=1))

    def test_cascade_keeps_what_is_random(self, model):
        result = parameter_randomisation(model, IMAGES, LABELS, Weights())
        np.testing.assert_array_equal(result.curve.y[:, 1:], result.curve.y[:, :-1])

    def test_seeds(self, model):
        def values(seed):
            return parameter_randomisation(
                model, IMAGES, LABELS, Weights(), seed=seed
            ).values

        np.testing.assert_array_equal(values(1), values(1))
        assert (values(1) != values(2)).all()

    @pytest.mark.parametrize("order", ["cascading", "independent"])
    def test_steps(self, model, order):
        result = parameter_randomisation(
            model, IMAGES, LABELS, Weights(), order=order, steps=2
        )
        assert result.layers == (LAYERS[2], LAYERS[4])
        np.testing.assert_array_equal(result.curve.x, [3, 5])
        # The last layer is random by then, or never.
        assert (result.curve.mean < 0.9).all() == (order == "cascading")

    def test_model_is_given_back_after_a_failure(self, model):
        calls = []

        def failing(images, targets):
            calls.append(targets)
            if len(calls) == 3:
                raise RuntimeError("broken")
            return images[..., 0]

        with pytest.raises(RuntimeError, match="broken"):
            parameter_randomisation(model, IMAGES, LABELS, failing)

    def test_callables(self, model):
        def probability(images, targets):
            p = model(images).numpy()[np.arange(len(images)), targets]
            return images[..., 0] * p[:, None, None]

        result = parameter_randomisation(model, IMAGES, LABELS, probability, steps=1)
        np.testing.assert_allclose(result.values, np.ones(12))

    def test_maps_that_are_not_finite(self, model):
        maps = IMAGES[..., 0].copy()
        maps[3] = np.nan
        result = parameter_randomisation(
            model, IMAGES, LABELS, lambda images, targets: maps, steps=2
        )
        assert result.left_out == 1 and np.isnan(result.values[3])

    @pytest.mark.parametrize(
        "options, message",
        [
            ({"order": "random"}, "cascading"),
            ({"similarity": "cosine"}, "absolute_spearman"),
            ({"steps": 0}, "`steps` to be a positive integer"),
            ({"seed": -1}, "`seed` to be an integer of at least 0"),
        ],
    )
    def test_bad_arguments(self, model, options, message):
        with pytest.raises(ValueError, match=message):
            parameter_randomisation(model, IMAGES, LABELS, Edge(), **options)

    def test_model_without_weights(self):
        empty = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
        with pytest.raises(ValueError, match="with weights"):
            parameter_randomisation(empty, np.zeros((1, 2, 2, 1)), 0, Edge())


class TestRandomLabelControl:
    def test_fails_what_ignores_the_model(self, model):
        control = keras.models.clone_model(model)
        result = random_label_control(model, IMAGES, LABELS, Edge(), control=control)
        np.testing.assert_allclose(result.values, np.ones(12))
        result = random_label_control(
            model, IMAGES, LABELS, VanillaGradients(), control=control
        )
        assert result.mean < 0.9

    def test_control_is_trained_on_permuted_labels(self, model):
        seen = []

        def train(labels):
            seen.append(labels)
            control = keras.models.clone_model(model)
            control.get_layer("classes").kernel.assign(np.eye(4))
            return control

        labels = np.arange(100)
        result = random_label_control(
            model, IMAGES, LABELS, Weights(), train=train, labels=labels, seed=1
        )
        (permuted,) = seen
        assert (np.sort(permuted) == labels).all() and (permuted != labels).any()
        expected = spearman(
            *(
                np.resize(kernel, (16, 16))
                for kernel in (model.get_layer("classes").kernel.numpy(), np.eye(4))
            )
        )
        np.testing.assert_allclose(result.values, np.full(12, expected))

    def test_bad_arguments(self, model):
        with pytest.raises(TypeError, match=r"`GradCAM\(\)`"):
            random_label_control(model, IMAGES, LABELS, Edge, control=model)
        with pytest.raises(ValueError, match="trained on permuted labels"):
            random_label_control(model, IMAGES, LABELS, Edge(), labels=LABELS)
        with pytest.raises(TypeError, match="told the model"):
            random_label_control(
                model, IMAGES, LABELS, lambda images, targets: images, control=model
            )

    @pytest.mark.parametrize(
        "explainer, targets, error",
        [(Edge, LABELS, TypeError), (VanillaGradients(), LABELS[:3], ValueError)],
    )
    def test_nothing_is_trained_for_bad_arguments(
        self, explainer, targets, error, model
    ):
        trained = []
        with pytest.raises(error):
            random_label_control(
                model, IMAGES, targets, explainer, train=trained.append, labels=LABELS
            )
        assert trained == []


class TestStability:
    def red(self, images, targets):
        return images[..., 0].astype("float64")

    def moved(self, measure, explainer, images=IMAGES, **options):
        return stability(None, images, 0, explainer, measure=measure, **options)

    @pytest.mark.parametrize("measure", ["largest", "mean", "lipschitz"])
    def test_maps_that_do_not_move(self, measure):
        np.testing.assert_array_equal(
            self.moved(measure, Random()).values, np.zeros(12)
        )

    def test_lipschitz_of_a_linear_map(self):
        """Of images of one channel, the map `3 x` moves three times as far as they."""
        result = self.moved(
            "lipschitz", lambda x, _: 3 * x[..., 0], IMAGES[..., :1], samples=2
        )
        np.testing.assert_allclose(result.values, np.full(12, 3), rtol=1e-5)

    def test_relative_change_by_hand(self):
        options = {"samples": 2, "noise": 0.05, "seed": 3}
        generator = np.random.default_rng(3)
        spread = np.ptp(IMAGES)
        moved = []
        for _ in range(2):
            noisy = IMAGES + generator.normal(0, 0.05 * spread, IMAGES.shape)
            noisy = noisy.clip(IMAGES.min(), IMAGES.max())
            moved.append(np.linalg.norm((noisy - IMAGES)[..., 0], axis=(1, 2)))
        size = np.linalg.norm(IMAGES[..., 0], axis=(1, 2))
        for measure, reduce in (("largest", np.max), ("mean", np.mean)):
            actual = self.moved(measure, self.red, **options).values
            expected = reduce(moved, axis=0) / size
            np.testing.assert_allclose(actual, expected, rtol=1e-4)

    def test_noise_stays_in_range_and_integers_integers(self):
        images = np.round(255 * IMAGES).astype("uint8")
        seen = []

        def keep(images, targets):
            seen.append(images)
            return images[..., 0]

        self.moved("mean", keep, images, noise=0.3)
        assert all(array.dtype == np.uint8 for array in seen)
        assert max(array.max() for array in seen) == images.max()
        assert any((array != images).any() for array in seen)

    def test_images_that_do_not_move_are_left_out(self):
        """Noise of a share of so small a range is rounded away."""
        images = (IMAGES.mean() < IMAGES).astype("uint8")
        for measure in ("largest", "mean", "lipschitz"):
            assert self.moved(measure, self.red, images).counted == 0
            assert self.moved(measure, self.red, images * 1.0).counted == 12

    def test_zero_maps_are_left_out(self):
        def first_is_zero(images, targets):
            maps = images[..., 0].copy()
            maps[0] = 0
            return maps

        assert np.isnan(self.moved("largest", first_is_zero).values[0])
        assert self.moved("largest", first_is_zero).left_out == 1

    @pytest.mark.parametrize(
        "options, message",
        [
            ({"measure": "smallest"}, "lipschitz"),
            ({"noise": 0}, "noise above 0"),
            ({"samples": 2.0}, "`samples` to be a positive integer"),
            ({"seed": None}, "`seed` to be an integer of at least 0"),
        ],
    )
    def test_bad_arguments(self, options, message):
        with pytest.raises(ValueError, match=message):
            stability(None, IMAGES, 0, Edge(), **options)
