"""What all explainers have in common."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from explainer_problem import (
    CLASSES,
    FROM_SCORES,
    IMAGES,
    LABELS,
    OF_MODELS,
    SHAPE,
    WITH_NAMES,
    assert_maps_close,
    changed,
    small_network,
)

from keras_lap.classifier.gives_logits import gives_logits
from keras_lap.evaluation.explainers import (
    CenterGaussian,
    Edge,
    Explainer,
    IntegratedGradients,
    Occlusion,
    Random,
    SmoothGrad,
    VanillaGradients,
    Xplique,
    as_explainer,
    as_xplique,
)
from keras_lap.evaluation.score_model import ScoreModel

pytest_plugins = ["explainer_problem"]
pytestmark = pytest.mark.usefixtures("eager")


class TestWorksEverywhere:
    @pytest.mark.parametrize("explainer", **WITH_NAMES)
    def test_nested_models(self, explainer, network):
        inputs = keras.Input(SHAPE)
        outer = keras.Model(inputs, network(keras.layers.Rescaling(2.0)(inputs / 2)))
        assert_maps_close(
            explainer.explain(outer, IMAGES, LABELS),
            explainer.explain(network, IMAGES, LABELS),
            tolerance=1e-4,
        )

    def test_nested_model_called_by_keyword(self, network):
        inputs = keras.Input(SHAPE)
        outer = keras.Model(inputs, network(inputs=inputs))
        explainer = VanillaGradients()
        assert_maps_close(
            explainer.explain(outer, IMAGES, LABELS),
            explainer.explain(network, IMAGES, LABELS),
        )

    def test_inference_mode(self, network):
        """Whatever Keras or the user noted at the calls."""
        layers = keras.layers
        model, plain = (
            keras.Sequential([keras.Input(SHAPE), *augmentation, *rest, network])
            for rest in [[layers.BatchNormalization()]]
            for augmentation in ([layers.RandomFlip()], [])
        )
        inputs = keras.Input(SHAPE)
        outer = keras.Model(inputs, model(layers.Dropout(0.5)(inputs, training=True)))
        before = model.get_weights()
        for explainer in FROM_SCORES:
            assert_maps_close(
                explainer.explain(outer, IMAGES, LABELS),
                explainer.explain(plain, IMAGES, LABELS),
            )
        for weight, after in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, after)

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
        assert_maps_close(
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
        assert_maps_close(
            changed(explainer, batch_size=2).explain(network, IMAGES, LABELS),
            explainer.explain(network, IMAGES, LABELS),
        )
        assert_maps_close(
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
            assert_maps_close(
                explainer.explain(model, IMAGES, LABELS),
                explainer.explain(network, IMAGES, LABELS),
            )


class TestInterface:
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
        assert_maps_close(maps, IMAGES.max(axis=-1) * network.count_params())

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
            (lambda: Random(seed=-1), "`seed` to be an integer of at least 0"),
            (lambda: SmoothGrad(seed=None), "`seed` to be an integer of at least 0"),
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
        assert_maps_close(explainer(tf.constant(IMAGES), one_hot).numpy(), expected)
        dataset = tf.data.Dataset.from_tensor_slices((IMAGES, one_hot)).batch(2)
        assert_maps_close(explainer.explain(dataset).numpy(), expected)
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
        assert_maps_close(maps.numpy()[..., 0], expected)
        assert expected.any()

    def test_a_last_layer_that_is_called_by_keyword(self):
        image = keras.Input(SHAPE)
        x = keras.layers.Flatten()(image)
        scores = keras.layers.Dense(3)(x)
        given = keras.layers.Softmax()(inputs=scores)
        score = ScoreModel(keras.Model(image, given)).of_all
        assert_maps_close(score(IMAGES), keras.Model(image, scores)(IMAGES))
        dense = keras.layers.Dense(3, activation="softmax")
        score = ScoreModel(keras.Model(image, dense(inputs=x))).of_all
        plain = keras.layers.Dense(3)
        logits = keras.Model(image, plain(x))
        plain.set_weights(dense.get_weights())
        assert_maps_close(score(IMAGES), logits(IMAGES))
        as_float32 = keras.layers.Activation("linear", dtype="float32")
        score = ScoreModel(keras.Model(image, as_float32(given))).of_all
        assert_maps_close(score(IMAGES), keras.Model(image, scores)(IMAGES))

    def test_an_activation_that_does_not_come_last_stays(self):
        class Gated(keras.layers.Dense):
            def call(self, x):
                return 2 * super().call(x)

        image = keras.Input(SHAPE)
        gated = Gated(3, activation="sigmoid")
        model = keras.Model(image, gated(keras.layers.Flatten()(image)))
        assert_maps_close(ScoreModel(model).of_all(IMAGES), model(IMAGES))
        assert gives_logits(model) is None

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
            assert_maps_close(scores(IMAGES), np.hstack([1 - share, share]))
