"""Explainers that read gradients of the scores."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from explainer_problem import (
    IMAGES,
    LABELS,
    SHAPE,
    assert_maps_close,
    linear_model,
    weights_of,
)

from keras_lap.evaluation.explainers import (
    IntegratedGradients,
    Occlusion,
    SmoothGrad,
    VanillaGradients,
)
from keras_lap.evaluation.score_model import ScoreModel

pytest_plugins = ["explainer_problem"]
pytestmark = pytest.mark.usefixtures("eager")


class TestGradients:
    @pytest.mark.parametrize("activation", [None, "softmax", "sigmoid"])
    def test_of_a_linear_score_are_its_weights(self, activation):
        model = linear_model(activation)
        expected = np.abs(weights_of(model, LABELS)).sum(axis=-1)
        for explainer in (VanillaGradients(), SmoothGrad(samples=3)):
            assert_maps_close(explainer.explain(model, IMAGES, LABELS), expected)
        expected = np.abs(IMAGES * weights_of(model, LABELS)).sum(axis=-1)
        assert_maps_close(
            IntegratedGradients(steps=3).explain(model, IMAGES, LABELS), expected
        )

    def test_do_not_vanish_behind_a_sure_softmax(self):
        model = linear_model("softmax", scale=1e4)
        classes = model(IMAGES).numpy().argmax(axis=-1)
        assert set(np.unique(model(IMAGES))) == {0, 1}
        expected = np.abs(weights_of(model, classes)).sum(axis=-1)
        assert_maps_close(
            SmoothGrad(samples=2).explain(model, IMAGES, classes), expected
        )

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
        assert_maps_close(actual, reduce(weights_of(model, LABELS)))

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
        assert_maps_close(actual, np.abs(IMAGES * gradients).sum(axis=-1))

    def test_integrated_gradients_are_those_of_tf_explain_times_the_image(
        self, network
    ):
        from tf_explain.core.integrated_gradients import IntegratedGradients as Theirs

        steps = 3
        score = ScoreModel(network)
        path = Theirs.generate_interpolations(IMAGES, steps).astype(np.float32)
        gradients = Theirs.get_integrated_gradients.python_function(
            path, score.of(np.repeat(LABELS, steps)), 0, steps
        )
        actual = IntegratedGradients(steps, channels="sum")
        assert_maps_close(
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
            assert_maps_close(actual, np.abs(gradients).sum(axis=-1))

    @pytest.mark.parametrize("activation", ["sigmoid", None])
    def test_single_output_speaks_for_class_1(self, activation):
        inputs = keras.Input(SHAPE)
        flat = keras.layers.Flatten()(inputs)
        model = keras.Model(inputs, keras.layers.Dense(1, activation)(flat))
        weights = model.layers[-1].kernel.numpy().reshape(SHAPE).sum(axis=-1)
        signed = VanillaGradients(channels="sum").explain(model, IMAGES[:2], [0, 1])
        assert_maps_close(signed, np.stack([-weights, weights]))
        falls = Occlusion(patch_size=4).explain(
            model, np.repeat(IMAGES[:1], 2, axis=0), [0, 1]
        )
        assert_maps_close(falls[0], -falls[1])


def score_gradients(model, images):
    """Gradients of the logits of `LABELS` of `small_network`."""
    x = tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        features = model.layers[1](model.layers[0](x))
        head = model.layers[2]
        score = tf.gather(features @ head.kernel + head.bias, LABELS, batch_dims=1)
    return tape.gradient(score, x)
