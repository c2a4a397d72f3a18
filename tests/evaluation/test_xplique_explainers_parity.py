"""Explainers of xplique here, and those from here in xplique."""

import keras
import numpy as np
import pytest
from parity import import_or_skip

import keras_lap
from keras_lap.evaluation import compare
from keras_lap.evaluation.explainers import (
    LAP,
    GradCAM,
    Occlusion,
    VanillaGradients,
    Xplique,
    as_xplique,
)

attributions = import_or_skip("xplique.attributions")
metrics = import_or_skip("xplique.metrics")

CLASSES = 3
IMAGES = np.random.default_rng(0).random((4, 16, 16, 3)).astype("float32")
LABELS = np.array([0, 2, 1, 2])
ONE_HOT = np.eye(CLASSES, dtype="float32")[LABELS]
OPTIONS = {
    "Rise": {"nb_samples": 32},
    "Lime": {"nb_samples": 16},
    "KernelShap": {"nb_samples": 16},
    "SobolAttributionMethod": {"nb_design": 2},
    "HsicAttributionMethod": {"nb_design": 32},
    "SmoothGrad": {"nb_samples": 2},
    "SquareGrad": {"nb_samples": 2},
    "VarGrad": {"nb_samples": 2},
    "IntegratedGradients": {"steps": 3},
    "Occlusion": {"patch_size": 4, "patch_stride": 4},
}
COPYING = ["DeconvNet", "GuidedBackprop"]
METHODS = [
    name
    for name in attributions.__all__
    if isinstance(getattr(attributions, name), type) and name not in COPYING
]
CALLING = ["Rise", "Lime", "KernelShap", "Occlusion"]


def network(data_format="channels_last"):
    shape = (16, 16, 3) if data_format == "channels_last" else (3, 16, 16)
    options = {"data_format": data_format}
    backbone = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Conv2D(4, 3, activation="relu", name="first", **options),
            keras_lap.LAPooling2D(2, concepts=CLASSES, **options),
            keras.layers.Conv2D(5, 3, activation="relu", name="features", **options),
        ],
        name="backbone",
    )
    return keras.Sequential(
        [
            keras.Input(shape),
            backbone,
            keras_lap.GlobalLAPooling2D(concepts=CLASSES, **options),
            keras.layers.Dense(CLASSES, activation="softmax", dtype="float32"),
        ]
    )


@pytest.fixture(scope="module")
def model():
    """With maps that are not nearly flat, as those of fresh score heads are."""
    keras.utils.set_random_seed(0)
    model = network()
    for layer in keras_lap.lap_layers(model):
        kernel = layer.head.logits.kernel
        kernel.assign(300 * kernel)
    kernel = model.layers[-1].kernel
    kernel.assign(np.abs(kernel))
    return model


def test_methods_run_on_nested_models_with_lap(model):
    comparison = compare(
        model,
        {"image": IMAGES[:2]},
        [Xplique(name, **OPTIONS.get(name, {})) for name in METHODS],
        ["sparsity"],
        timing_rounds=0,
    )
    assert {row["explainer"]: row["error"] for row in comparison.rows} == {
        f"{name} (xplique)": None for name in METHODS
    }
    assert all(maps.any() for maps in comparison.maps.values())


@pytest.mark.parametrize("name", COPYING)
def test_methods_that_copy_the_model_are_refused(model, name):
    with pytest.raises(ValueError, match=f"that runs here. Received: '{name}'"):
        Xplique(name).explain(model, IMAGES, LABELS)


def test_no_model_is_kept(model):
    cache = attributions.base.BlackBoxExplainer._cache_models
    before = len(cache)
    for name in ("Rise", "GradCAMPP"):
        Xplique(name, **OPTIONS.get(name, {})).explain(model, IMAGES[:1], 0)
    assert len(cache) == before


def test_grad_cam_agrees(model):
    """But for the resizing, which is bicubic there."""
    ours = GradCAM("first").explain(model, IMAGES, LABELS)
    theirs = Xplique("GradCAM", conv_layer="first").explain(model, IMAGES, LABELS)
    assert ours.max() > 0
    inner = np.s_[:, 2:-2, 2:-2]
    for a, b in zip(ours[inner], theirs[inner], strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.95


def test_gradients_agree(model):
    ours = VanillaGradients(channels="absolute_max").explain(model, IMAGES, LABELS)
    theirs = Xplique("Saliency").explain(model, IMAGES, LABELS)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * ours.max())


def test_occlusion_agrees_within_patches(model):
    """There is no interpolation there; in the middle of a patch there is none here."""
    ours = Occlusion(patch_size=5, value=0).explain(model, IMAGES, 1)
    theirs = Xplique("Occlusion", patch_size=5, patch_stride=5).explain(
        model, IMAGES, 1
    )
    middle = np.s_[:, 2:15:5, 2:15:5]
    np.testing.assert_allclose(ours[middle], theirs[middle], atol=1e-6)


def test_channels_first(model):
    first = network("channels_first")
    first.set_weights(model.get_weights())
    options = {**OPTIONS["Occlusion"], "data_format": "channels_first"}
    actual = Xplique("Occlusion", **options).explain(
        first, IMAGES.transpose(0, 3, 1, 2), LABELS
    )
    expected = Xplique("Occlusion", **OPTIONS["Occlusion"])
    np.testing.assert_allclose(
        actual, expected.explain(model, IMAGES, LABELS), atol=1e-6
    )
    with pytest.raises(ValueError, match="only calls the model, such as Rise"):
        Xplique("Saliency", data_format="channels_first").explain(
            first, IMAGES.transpose(0, 3, 1, 2), LABELS
        )


def test_mixed_precision(model):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = network()
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(model.get_weights())
    for name in (*CALLING, "Saliency"):
        maps = Xplique(name, **OPTIONS.get(name, {})).explain(half, IMAGES, LABELS)
        assert maps.shape == (4, 16, 16) and np.isfinite(maps).all()


def test_lap_in_metrics_of_xplique(model):
    explainer = as_xplique(LAP(), model)
    maps = explainer(IMAGES, ONE_HOT)
    expected = LAP().explain(model, IMAGES, LABELS)
    np.testing.assert_array_equal(maps[..., 0], expected)
    fidelity = metrics.Deletion(model, IMAGES, ONE_HOT, steps=4)
    assert 0 < fidelity.evaluate(maps) < 1
    stable = metrics.AverageStability(model, IMAGES, ONE_HOT, radius=0, nb_samples=2)
    assert stable.evaluate(explainer) == pytest.approx(0, abs=1e-6)
    moved = metrics.AverageStability(model, IMAGES, ONE_HOT, radius=0.5, nb_samples=2)
    assert moved.evaluate(explainer) > 1e-3
    assert (
        -1 <= metrics.RandomLogitMetric(model, IMAGES, ONE_HOT).evaluate(explainer) <= 1
    )


def test_randomisation_by_xplique(model):
    """It exchanges the explainer's model, and gives it back."""
    explainer = as_xplique(LAP(), model)
    every = metrics.randomization.ProgressiveLayerRandomization(1.0)
    check = metrics.ModelRandomizationMetric(model, IMAGES, ONE_HOT, every)
    assert check.evaluate(explainer) < 0.9
    assert explainer.model is model
