"""The LAP layers in what TensorFlow alone has: graphs, XLA, SavedModel."""

import os
import subprocess

import keras
import numpy as np
import pytest
from effort import THOROUGH
from fresh_process import fresh_python
from layer_cases import (
    CHANNELS,
    CONFIGURATIONS,
    LAYER_CASES,
    in_layout_of,
    randomize,
)
from layer_contract import assert_training_moves_every_weight, every_configuration
from tolerances import assert_close, assert_identical, tolerance

from keras_lap import la_pool
from keras_lap.layers import score_tape
from keras_lap.ops import which

if keras.config.backend() != "tensorflow":
    pytest.skip("TensorFlow itself is tested", allow_module_level=True)

import tensorflow as tf

every_layer = pytest.mark.parametrize("case", LAYER_CASES.values(), ids=LAYER_CASES)
IMAGES = LAYER_CASES["LAPooling2D"]


@every_layer
@every_configuration
@pytest.mark.one_in(6)
def test_sizes_unknown_to_the_graph_change_nothing(rng, case, options):
    layer, x = case.built(rng, **options)
    unknown = in_layout_of(layer, np.empty((0, *[0] * case.rank, CHANNELS)))
    spec = tf.TensorSpec([size or None for size in unknown.shape], "float32")
    traced = tf.function(layer, input_signature=[spec])
    last = x if layer.data_format == "channels_last" else np.moveaxis(x, 1, -1)
    for part in (last, last[:2, 1:]):
        part = in_layout_of(layer, part)
        y = layer(part)
        assert layer.compute_output_shape(part.shape) == tuple(y.shape)
        allowed = tolerance("float32", case.pixels, np.abs(x).max())
        assert_close(traced(part), y, **allowed)


def test_gradients_flow_through_the_records_inside_a_graph(rng):
    layer, x = IMAGES.built(rng)

    @tf.function
    def gradient_of_logits(x):
        with tf.GradientTape() as tape, score_tape() as records:
            layer(x)
            loss = tf.reduce_sum(records[0].logits)
        return tape.gradient(loss, layer.head.logits.bias.value)

    expected = [10.0 * x[..., 0].size]
    assert_close(gradient_of_logits(x), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    "how",
    [{"jit_compile": j} for j in (True, False, "auto")] + [{"run_eagerly": True}],
    ids=str,
)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.one_in(3)
def test_fit(rng, how, data_format):
    layer = IMAGES.make(concepts=2, hidden=3, base="avg", data_format=data_format)
    model = IMAGES.classifier(layer)
    layer.gate.assign(0.5)
    assert_training_moves_every_weight(model, rng, **how)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=[] if name == "LAPooling2D" else [pytest.mark.thorough]
        )
        for name in LAYER_CASES
    ],
)
def test_fit_under_xla(rng, name):
    case = LAYER_CASES[name]
    layer = case.make(base="max")
    model = case.classifier(layer)
    layer.gate.assign(0.5)
    assert_training_moves_every_weight(model, rng, jit_compile=True)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.one_in(4)
def test_fit_in_mixed_precision(rng, policy, jit_compile):
    keras.config.set_dtype_policy(policy)
    try:
        layer = IMAGES.make(concepts=2, hidden=3, base="avg")
        model = IMAGES.classifier(layer)
        layer.gate.assign(0.5)
        assert layer.compute_dtype == policy.removeprefix("mixed_")
        assert_training_moves_every_weight(model, rng, jit_compile=jit_compile)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    "jit_compile", [True, pytest.param(False, marks=pytest.mark.thorough)]
)
def test_fit_with_gradient_checkpointing(rng, jit_compile):
    with keras.RematScope("full"):
        layer = IMAGES.make(concepts=2, hidden=3, base="max")
    model = IMAGES.classifier(layer)
    layer.gate.assign(0.5)
    assert_training_moves_every_weight(model, rng, jit_compile=jit_compile)


@pytest.mark.parametrize("mode", ["full", "larger_than"])
def test_gradient_checkpointing_recomputes_the_pooling(rng, monkeypatch, mode):
    calls = []

    def counted(*args, **kwargs):
        calls.append(args)
        return la_pool(*args, **kwargs)

    monkeypatch.setattr("keras_lap.layers.base_la_pooling.la_pool", counted)
    with keras.RematScope(mode, output_size_threshold=1):
        layer = IMAGES.make()
    x = IMAGES.features(rng)
    with tf.GradientTape() as tape:
        y = layer(x)
    assert len(calls) == 1
    tape.gradient(y, layer.head.logits.kernel.value)
    assert len(calls) == 2


CALL_SAVED_MODELS = """
import pathlib, sys
import numpy as np, tensorflow as tf
import keras_lap

folder, fused = sys.argv[1:]
if fused == "fused":
    keras_lap.load_ops()
for path in pathlib.Path(folder).iterdir():
    serve = tf.saved_model.load(path / "model").signatures["serving_default"]
    (y,) = serve(tf.constant(np.load(path / "x.npy"))).values()
    np.save(path / "y.npy", y)
"""


def save_by_tensorflow(model, path):
    tf.saved_model.save(model, str(path))


def save_by_keras(model, path):
    model.export(path, verbose=False)


def test_saved_models_compute_the_same_in_a_fresh_process(rng, tmp_path):
    expected = {}
    for name in ("default", "avg base", "channels_first", "features"):
        layer = IMAGES.make(**CONFIGURATIONS[name])
        x = in_layout_of(layer, IMAGES.features(rng))
        sizes = [None if size != CHANNELS else size for size in x.shape[1:]]
        model = keras.Sequential([keras.Input(sizes), layer])
        randomize(model, rng)
        by_both = THOROUGH or name == "default"
        for save in [save_by_keras, *[save_by_tensorflow] * by_both]:
            folder = tmp_path / f"{name} {save.__name__}"
            save(model, folder / "model")
            np.save(folder / "x.npy", x)
            expected[folder] = model(x)
    command = fresh_python(CALL_SAVED_MODELS, tmp_path, which().implementation)
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    subprocess.run(command, check=True, env=environment)
    for folder, y in expected.items():
        assert_identical(np.load(folder / "y.npy"), y)


def test_checkpoints_of_tensorflow_name_the_gate(tmp_path):
    layer = IMAGES.make(base="max")
    layer.build((None, *IMAGES.sizes, CHANNELS))
    path = tf.train.Checkpoint(layer=layer).write(str(tmp_path / "checkpoint"))
    names = [name for name, _ in tf.train.list_variables(path)]
    assert any(name.startswith("layer/gate/") for name in names)
