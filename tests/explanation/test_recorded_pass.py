"""Passes of both kinds tell the same of a model, and `explain` may change over."""

import importlib
import re
import warnings

import keras
import numpy as np
import pytest
from keras import ops
from tolerances import assert_close, layer_tolerance

import keras_lap
from keras_lap.explanation.recorded_pass import compiled_pass, recorded_pass

pytestmark = pytest.mark.jax_too

IMAGES = np.random.default_rng(0).random((5, 8, 8, 3), "float32")


class Counted(keras.layers.Layer):
    """Counts how often Python runs it."""

    calls = 0

    def call(self, x):
        self.calls += 1
        return x


def model(dtype=None):
    """LAP layers with several concepts, with none and with one, beside each other."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input(IMAGES.shape[1:]),
            Counted(name="counted", dtype=dtype),
            keras_lap.LAPooling2D(2, concepts=4, dtype=dtype),
            keras_lap.LAPooling2D(2, scores="features", gating=None, dtype=dtype),
            keras_lap.GlobalLAPooling2D(dtype=dtype),
            keras.layers.Dense(4, dtype=dtype),
        ]
    )


def arrays(outputs, records):
    """All that a pass tells, as float32 arrays."""
    told = [outputs]
    for record in records:
        told += [record.attention[..., :1], record.logits]
    return [
        ops.convert_to_numpy(ops.cast(each, "float32"))
        for each in told
        if each is not None
    ]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.slow_on_jax
def test_both_kinds_tell_the_same(dtype):
    network = model(dtype)
    step, compiled = recorded_pass(network), compiled_pass(network)
    tolerance = layer_tolerance("float32" if dtype == "float32" else "bfloat16")
    for images in (IMAGES, IMAGES[:2]):
        (_, expected), (_, found) = passes = step(images), compiled(images)
        assert [each.layer for each in found] == [each.layer for each in expected]
        first, second = (arrays(*each) for each in passes)
        assert len(first) == len(second) == 6
        for actual, wanted in zip(second, first, strict=True):
            assert_close(actual, wanted, **tolerance)


@pytest.mark.slow_on_jax
def test_outputs_keep_their_order():
    network = model()
    image, last = network.inputs[0], network.layers[-2].output
    outputs = {name: keras.layers.Dense(3)(last) for name in ("main", "aux")}
    network = keras.Model(image, outputs)
    (plain, _), (compiled, _) = (
        make(network)(IMAGES) for make in (recorded_pass, compiled_pass)
    )
    assert [*compiled] == [*plain]
    for name, expected in plain.items():
        assert_close(compiled[name], expected, **layer_tolerance("float32"))


@pytest.mark.skipif(
    keras.config.backend() == "torch", reason="torch runs operation by operation"
)
def test_python_runs_once_for_a_shape_and_weights_are_read_each_time():
    network = model()
    forward, counted = compiled_pass(network), network.get_layer("counted")
    before, _ = forward(IMAGES)
    # That images are wrong is no reason to do without.
    with pytest.raises(ValueError, match="incompatible with the layer"):
        forward(IMAGES[..., :2])
    calls = counted.calls
    network.layers[-1].bias.assign(np.ones(4))
    after, _ = forward(IMAGES)
    assert counted.calls == calls
    assert_close(after, before + 1, **layer_tolerance("float32"))


def test_models_that_run_eagerly_are_not_compiled():
    network = model()
    network.compile(run_eagerly=True)
    forward, counted = compiled_pass(network), network.get_layer("counted")
    calls = counted.calls
    for _ in range(2):
        forward(IMAGES)
    assert counted.calls == calls + 2


class Numpy(keras.layers.Layer):
    """Cannot be traced."""

    def __init__(self, **options):
        super().__init__(**options)
        self.supports_jit = False

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x):
        return ops.convert_to_tensor(2 * ops.convert_to_numpy(x))


def test_models_that_cannot_be_traced_run_as_they_are():
    pooling = keras_lap.GlobalLAPooling2D()
    layers = [keras.Input(IMAGES.shape[1:]), Numpy(name="in_numpy"), pooling]
    network = keras.Sequential(layers)
    forward = compiled_pass(network)
    is_compiled = keras.config.backend() == "tensorflow"
    for told in (is_compiled, False):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            outputs, (record,) = forward(IMAGES)
        reasons = [str(each.message) for each in warned]
        pattern = "cannot be compiled.* in 'in_numpy': "
        assert any(re.search(pattern, each) for each in reasons) == told
        assert record.layer is pooling
        expected, _ = recorded_pass(network)(IMAGES)
        assert_close(outputs, expected, **layer_tolerance("float32"))
    # An error is the model's own.
    with pytest.raises(ValueError, match="incompatible with the layer"):
        forward(IMAGES[..., :2])


class Branch(keras.layers.Layer):
    """Depends on values that are not known where it is traced."""

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x):
        return x if ops.sum(x) > 0 else -x


class Fallback(Branch):
    """Catches an error of its own, in place of which it does what cannot be traced."""

    def call(self, x):
        try:
            raise ImportError("no faster way")
        except ImportError:
            return super().call(x)


class Translated(Branch):
    """Says by another error that it cannot be traced."""

    def call(self, x):
        try:
            return super().call(x)
        except Exception as error:
            raise RuntimeError("no branch") from error


@pytest.mark.skipif(
    keras.config.backend() == "torch", reason="torch runs operation by operation"
)
@pytest.mark.parametrize("kind", [Branch, Fallback, Translated])
def test_tells_what_stops_a_model_from_being_compiled(kind):
    layers = [keras.Input(IMAGES.shape[1:]), kind(name="branch")]
    network = keras.Sequential([*layers, keras_lap.GlobalLAPooling2D()])
    reason = {
        "tensorflow": "OperatorNotAllowedInGraphError in 'branch': Using a symbolic ",
        "jax": "TracerBoolConversionError in 'branch': Attempted boolean conversion ",
    }[keras.config.backend()]
    with pytest.warns(UserWarning, match=f"takes longer. {reason}") as warned:
        compiled_pass(network)(IMAGES)
    assert all(len(str(each.message)) < 500 for each in warned)


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.slow_on_jax
def test_explain_compiles_for_many_batches(monkeypatch, is_known):
    network = model()
    # The function hides its module.
    module = importlib.import_module("keras_lap.explanation.batches_with_passes")
    asked = []
    monkeypatch.setattr(module, "_COMPILED_FROM", 3)
    monkeypatch.setattr(
        module,
        "compiled_pass",
        lambda *args: asked.append(args) or compiled_pass(*args),
    )
    whole = keras_lap.explain(network, IMAGES, batch_size=3, verbose=0)
    assert not asked
    # The last of these is smaller.
    parts = [IMAGES[:1], IMAGES[1:2], IMAGES[2:3], IMAGES[3:4], IMAGES[4:]]
    if is_known:
        found = keras_lap.explain(network, IMAGES, batch_size=2, verbose=0)
    else:
        found = keras_lap.explain(network, iter(parts), verbose=0)
    assert asked == [(network,)]
    for name in ("maps", "scores", "predictions"):
        actual, expected = getattr(found, name), getattr(whole, name)
        assert_close(actual, expected, **layer_tolerance("float32"))


@pytest.mark.skipif(keras.config.backend() != "torch", reason="of torch alone")
def test_nothing_is_kept_for_gradients():
    outputs, records = recorded_pass(model())(IMAGES)
    assert not outputs.requires_grad
    assert not any(record.attention.requires_grad for record in records)
