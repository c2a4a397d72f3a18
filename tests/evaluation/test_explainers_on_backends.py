"""Explainers on every backend, against models whose right maps are known."""

import random

import keras
import numpy as np
import pytest
from keras import layers, ops
from tolerances import assert_close, tolerance

from keras_lap.evaluation import compare
from keras_lap.evaluation.explainers import (
    RISE,
    GradCAM,
    GradCAMPlusPlus,
    GradientInput,
    IntegratedGradients,
    LayerCAM,
    Occlusion,
    SmoothGrad,
    VanillaGradients,
)
from keras_lap.evaluation.explainers.covered import covered
from keras_lap.evaluation.score_gradients import ScoreGradients

pytestmark = pytest.mark.jax_too

SHAPE = HEIGHT, WIDTH, CHANNELS = 6, 4, 3
CLASSES = 2
COUNT = 3
IMAGES = np.random.default_rng(0).uniform(0.1, 1, (COUNT, *SHAPE)).astype("float32")
LABELS = np.array([1, 0, 1])
# Values of the order of one, sums of all of a map.
SUMS = tolerance("float32", HEIGHT * WIDTH * CHANNELS)


def linear_model(**options):
    """Scores that are linear in the pixels, behind a softmax."""
    head = layers.Dense(CLASSES, activation="softmax", **options)
    return keras.Sequential([keras.Input(SHAPE), layers.Flatten(), head])


def weights_of(model):
    """Of the scores of `LABELS`, in the shape of the images."""
    kernel = ops.convert_to_numpy(model.layers[-1].kernel)
    return kernel.T[LABELS].reshape(IMAGES.shape)


def quadratic_model(data_format="channels_last", dtype=None):
    """The score of class k is half the squares of the features, weighted for it.

    The features are the channels of the image, which also go around that layer, in a
    model that is nested in another.
    """
    last = data_format == "channels_last"
    shape = SHAPE if last else (CHANNELS, HEIGHT, WIDTH)
    options = {"data_format": data_format, "dtype": dtype}
    x = keras.Input(shape)
    features = layers.Activation("linear", dtype=dtype, name="features")(x)
    around = layers.Rescaling(1.0, dtype=dtype)(x)
    both = layers.Concatenate(-1 if last else 1, dtype=dtype)([features**2 / 2, around])
    body = keras.Model(x, both, name="body")
    inputs = keras.Input(shape)
    pooled = layers.GlobalAveragePooling2D(**options)(body(inputs))
    head = layers.Dense(CLASSES, activation="softmax", use_bias=False, dtype="float32")
    model = keras.Model(inputs, head(pooled))
    head.kernel.assign(np.vstack([QUADRATIC, np.ones((CHANNELS, CLASSES))]))
    return model


QUADRATIC = np.array([[0.5, -1.0], [1.0, 2.0], [-0.25, 1.0]])
# At the features: of the mean over the pixels of half their squares.
GRADIENTS = QUADRATIC.T[LABELS][:, None, None] * IMAGES / (HEIGHT * WIDTH)


def grad_cam_by_hand(features, gradients):
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    return np.maximum((weights * features).sum(axis=-1), 0)


def grad_cam_plus_plus_by_hand(features, gradients):
    sums = features.sum(axis=(1, 2), keepdims=True)
    alphas = gradients**2 / (2 * gradients**2 + sums * gradients**3)
    weights = (alphas * np.maximum(gradients, 0)).sum(axis=(1, 2), keepdims=True)
    return np.maximum((weights * features).sum(axis=-1), 0)


def layer_cam_by_hand(features, gradients):
    return np.maximum((np.maximum(gradients, 0) * features).sum(axis=-1), 0)


class TestGradientsToImages:
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls):
        keras.utils.set_random_seed(1)
        return linear_model()

    @pytest.mark.parametrize(
        "explainer", [VanillaGradients(), SmoothGrad(samples=2)], ids=repr
    )
    def test_are_the_weights_of_a_linear_score(self, model, explainer):
        expected = np.abs(weights_of(model)).sum(axis=-1)
        assert_close(explainer.explain(model, IMAGES, LABELS), expected, **SUMS)

    @pytest.mark.parametrize(
        "explainer", [GradientInput, lambda **way: IntegratedGradients(2, **way)]
    )
    def test_times_the_image_add_up_to_a_linear_score(self, model, explainer):
        maps = explainer(channels="sum").explain(model, IMAGES, LABELS)
        expected = (weights_of(model) * IMAGES).sum(axis=-1)
        assert_close(maps, expected, **SUMS)

    def test_are_those_of_the_model_as_it_is_at_each_call(self):
        """And one prepared explainer takes batches of any size."""
        model = linear_model()
        maps_of = VanillaGradients(channels="sum").on(model)
        for batch in (slice(0, 2), slice(1, 3), slice(2, 3)):
            kernel = model.layers[-1].kernel
            kernel.assign(kernel + 0.5)
            gradients = weights_of(model).sum(axis=-1)
            assert_close(
                maps_of(IMAGES[batch], LABELS[batch]), gradients[batch], **SUMS
            )

    def test_last_layers_need_no_config_and_no_random_numbers(self):
        model = linear_model(kernel_regularizer=lambda kernel: 0 * ops.sum(kernel))
        before = random.getstate()
        maps = VanillaGradients(channels="sum").explain(model, IMAGES, LABELS)
        assert_close(maps, weights_of(model).sum(axis=-1), **SUMS)
        assert random.getstate() == before
        assert model.layers[-1].activation is keras.activations.softmax

    def test_scores_that_do_not_depend_on_the_images(self):
        inputs = keras.Input(SHAPE)
        x = layers.Flatten()(ops.stop_gradient(inputs))
        gradients_of = ScoreGradients(keras.Model(inputs, layers.Dense(2)(x)))
        if keras.config.backend() == "jax":
            assert not gradients_of.to_images()(IMAGES, LABELS).any()
        else:
            with pytest.raises(ValueError, match="depend on the images"):
                gradients_of.to_images()(IMAGES, LABELS)


@pytest.mark.parametrize(
    "explainer, by_hand",
    [
        (GradCAM, grad_cam_by_hand),
        (GradCAMPlusPlus, grad_cam_plus_plus_by_hand),
        (LayerCAM, layer_cam_by_hand),
    ],
)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_features_of_a_nested_layer_that_others_go_around(
    explainer, by_hand, data_format
):
    """The map has the size of the image, so that nothing is interpolated."""
    axes = (0, 3, 1, 2) if data_format == "channels_first" else (0, 1, 2, 3)
    maps = explainer("body/features", data_format=data_format).explain(
        quadratic_model(data_format), IMAGES.transpose(axes), LABELS
    )
    expected = by_hand(IMAGES, GRADIENTS)
    assert expected.max() > 0
    assert_close(maps, expected, **SUMS)


def test_features_are_those_of_the_model_as_it_is_at_each_call():
    model = quadratic_model()
    maps_of = GradCAM("features").on(model)
    kernel = model.layers[-1].kernel
    for factor in (1, 3):
        kernel.assign(factor * kernel)
        expected = grad_cam_by_hand(IMAGES, factor * GRADIENTS)
        assert_close(maps_of(IMAGES, LABELS), expected, **SUMS)


def test_layer_in_half_precision():
    model = quadratic_model(dtype="mixed_float16")
    maps = GradCAM("features").explain(model, IMAGES, LABELS)
    assert maps.dtype == np.float32
    expected = grad_cam_by_hand(IMAGES, GRADIENTS)
    terms = tolerance("float16", HEIGHT * WIDTH * CHANNELS, expected.max())
    assert_close(maps, expected, rtol=4 * terms["rtol"], atol=1e-3 * expected.max())


def test_grad_cam_plus_plus_weights_of_few_places():
    """Two blobs of one class weigh the same, one of them in a fourth of the pixels."""
    features = np.zeros((1, 4, 5, 2), "float32")
    features[0, :, :2, 0] = features[0, :2, 4:, 1] = 1
    gradients = features / 20
    maps = GradCAMPlusPlus().weighted(features, gradients)
    # alpha = 1 / (2 + pixels / 20): the gradients of a blob are all the same.
    large, small = (pixels / 20 / (2 + pixels / 20) for pixels in (8, 2))
    assert_close(maps[0, 0, [0, 2, 4]], np.array([large, 0, small]), **SUMS)


def test_grad_cam_plus_plus_without_a_denominator():
    features = np.full((1, 1, 2, 1), -1, "float32")
    assert not GradCAMPlusPlus().weighted(features, np.ones_like(features)).any()


class TestPerturbations:
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls):
        """The probability of class 1 is the mean of the image, but for its channels."""
        inputs = keras.Input(SHAPE)
        grey = layers.GlobalAveragePooling2D()(inputs)[:, :1]
        return keras.Model(inputs, ops.concatenate([1 - grey, grey], axis=-1))

    def test_occlusion_is_the_share_of_each_patch(self, model):
        maps = Occlusion(1, value=0).explain(model, IMAGES, np.ones(COUNT, int))
        assert_close(maps, IMAGES[..., 0] / (HEIGHT * WIDTH), **SUMS)

    def test_rise_of_an_output_that_masks_do_not_change(self, model):
        constant = np.full_like(IMAGES, 0.25)
        maps = RISE(masks=5, cells=3, value=None, batch_size=2).explain(
            model, constant, LABELS
        )
        expected = np.where(LABELS == 1, 0.25, 0.75)[:, None, None]
        assert_close(maps, np.broadcast_to(expected, maps.shape), **SUMS)

    def test_rise_is_the_mean_where_a_pixel_is_visible(self, model):
        explainer = RISE(masks=7, cells=2, seed=3, batch_size=4)
        masks = np.concatenate(list(explainer._batches_of_masks(SHAPE[:2])))
        assert masks.shape == (7, *SHAPE[:2])
        means = (masks[:, None] * IMAGES[..., 0]).mean(axis=(2, 3))
        expected = np.tensordot(means.T, masks, 1) / masks.sum(axis=0)
        actual = explainer.explain(model, IMAGES, np.ones(COUNT, int))
        assert_close(actual, expected, **SUMS)
        assert (actual != RISE(masks=7, cells=2).explain(model, IMAGES, 1)).any()

    @pytest.mark.parametrize("explainer", [Occlusion(), RISE(masks=2)], ids=repr)
    def test_classes_that_the_model_does_not_have(self, model, explainer):
        with pytest.raises(ValueError, match=r"from 0 to 1.*Received: \[2\]"):
            explainer.explain(model, IMAGES, [0, 1, 2])


def test_covered_integers_are_rounded():
    """Cut off they would be dark wherever they are partly covered."""
    image = np.array([[[100], [101], [3]]], "uint8")
    visible = np.array([[[0.99, 0.5, 0.25]]], "float32")
    copies = covered(image, visible, 0.0, "channels_last")
    assert copies.dtype == np.uint8
    assert copies.ravel().tolist() == [99, 50, 1]
    brighter = covered(image, visible, 255.0, "channels_last")
    assert brighter.ravel().tolist() == [102, 178, 192]


def test_masks_of_rise():
    """Shares from 0 to 1, as many visible as asked for, and smooth over the cells."""
    explainer = RISE(masks=400, cells=4, share=0.3)
    masks = np.concatenate(list(explainer._batches_of_masks((32, 20))))
    assert masks.min() == 0 and masks.max() == 1
    # A standard error of 400 times 16 cells is 0.006.
    assert masks.mean() == pytest.approx(0.3, abs=0.02)
    # A cell is eight pixels high and resized to ten.
    assert np.abs(np.diff(masks, axis=1)).max() == pytest.approx(0.1, abs=1e-6)
    assert len(np.unique(masks[:, 0, 0])) > 20


@pytest.mark.parametrize(
    "options, message",
    [
        ({"masks": 0}, "`masks` to be a positive"),
        ({"cells": 0}, "`cells` to be a positive"),
        ({"seed": -1}, "`seed` to be an integer of at least 0"),
        ({"share": 1.0}, "both excluded"),
        ({"share": float("nan")}, "both excluded"),
    ],
)
def test_bad_options_of_rise(options, message):
    with pytest.raises(ValueError, match=message):
        RISE(**options)


def test_compare_takes_them_by_name():
    keras.utils.set_random_seed(1)
    names = ["GradCAM", "GradCAMPlusPlus", "LayerCAM", "GradientInput"]
    data = {"image": IMAGES}
    comparison = compare(
        quadratic_model(), data, names, ["sparsity"], timing_rounds=0, verbose=False
    )
    assert [row["explainer"] for row in comparison.rows] == names
    assert [row["error"] for row in comparison.rows] == [None] * len(names)
