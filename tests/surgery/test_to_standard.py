"""`to_standard` computes the same, and what it makes needs no keras_lap to run."""

import subprocess

import keras
import numpy as np
import pytest
from fresh_process import fresh_python
from keras import layers
from layer_cases import CONFIGURATIONS, LAYER_CASES
from networks import randomise
from tolerances import assert_close, assert_identical, layer_tolerance, tolerance

import keras_lap
from keras_lap.graph.call_graph import Call
from keras_lap.surgery.standard_pooling import standard_pooling
from keras_lap.surgery.to_standard import to_standard

GATES = (0.0, 0.4, 1.0)


def with_gates(layer):
    """Goes through the gates of a layer; a single time if it has none."""
    for gate in GATES if layer.base else [None]:
        if gate is not None:
            layer.gate.assign(gate)
        yield gate


def random_weights(model, rng):
    """Uneven weights, and gates of all kinds."""
    randomise(model, rng)
    for i, layer in enumerate(keras_lap.lap_layers(model)):
        if layer.base is not None:
            layer.gate.assign(GATES[i % 3])
    return model


def float32_tolerance(x, terms):
    return tolerance("float32", terms, np.abs(x).max())


# Layers.


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("case", LAYER_CASES.values(), ids=LAYER_CASES)
@pytest.mark.one_in(6)
def test_layers(case, configuration, rng):
    layer, x = case.built(rng, **CONFIGURATIONS[configuration])
    for gate in with_gates(layer):
        standard = standard_pooling(layer, (None, *x.shape[1:]))
        assert standard.name == layer.name
        # Scores of large logits are off by as much again as a window's sums.
        assert_close(standard(x), layer(x), **float32_tolerance(x, 2 * case.pixels))
        weights = [weight.path for weight in standard.weights]
        assert bool(weights) == (layer.head is not None and gate != 0)


WINDOWS = [
    {"pool_size": 2},
    {"pool_size": (3, 2), "strides": (1, 2), "padding": "same"},
    {"pool_size": 3, "strides": 2, "padding": ((1, 0), (2, 1))},
    {"pool_size": 2, "padding": ((0, 1), (0, 1)), "data_format": "channels_first"},
]


@pytest.mark.parametrize("base", ["max", "avg", "first"])
@pytest.mark.parametrize("windows", WINDOWS, ids=str)
@pytest.mark.one_in(4)
def test_maps_of_unknown_size(windows, base, rng):
    layer = keras_lap.LAPooling2D(**windows, base=base, initial_score=0.5)
    first = layer.data_format == "channels_first"
    shape = (None, 4, None, None) if first else (None, None, None, 4)
    layer.build(shape)
    for _ in with_gates(layer):
        standard = standard_pooling(layer, shape)
        for size in ((7, 6), (4, 5)):
            x = rng.normal(size=(2, 4, *size) if first else (2, *size, 4))
            x = x.astype("float32")
            assert_close(standard(x), layer(x), **float32_tolerance(x, 9))


def test_global_layers_of_unknown_size(rng):
    for base in ("max", "avg", "first"):
        layer = keras_lap.GlobalLAPooling2D(base=base, keepdims=True)
        layer.build((None, None, 7, 4))
        for _ in with_gates(layer):
            x = rng.normal(size=(2, 5, 7, 4)).astype("float32")
            standard = standard_pooling(layer, (None, None, 7, 4))
            assert_close(standard(x), layer(x), **float32_tolerance(x, 35))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["LAPooling2D", "GlobalLAPooling1D"])
def test_mixed_precision(name, dtype, rng):
    options = {"dtype": f"mixed_{dtype}", "base": "avg", "hidden": 3}
    layer, x = LAYER_CASES[name].built(rng, **options)
    for _ in with_gates(layer):
        standard = standard_pooling(layer, (None, *x.shape[1:]))
        y = standard(x)
        assert keras.backend.standardize_dtype(y.dtype) == dtype
        # Either is off from the layer in float32.
        twice = 2 * np.abs(x).max()
        assert_close(y, layer(x), **layer_tolerance(dtype, twice))


# Models.


def nested_model():
    """Shared LAP layers, nested models, two inputs and outputs, a frozen layer."""
    shared = keras_lap.LAPooling2D(3, strides=2, base="max", name="shared")
    inner = keras.Sequential(
        [
            keras.Input((None, None, 4)),
            layers.Conv2D(4, 3, name="conv"),
            keras_lap.LAPooling2D(2, base="first", hidden=3, name="in_sequential"),
        ],
        name="inner",
    )
    a, b = keras.Input((19, 19, 4), name="a"), keras.Input((13, 15, 4), name="b")
    pooled = [keras_lap.GlobalLAPooling2D(base="avg", name="head")(shared(inner(a)))]
    pooled.append(layers.GlobalMaxPooling2D()(inner(shared(b), training=False)))
    both = layers.Dense(3, trainable=False, name="both")(layers.Concatenate()(pooled))
    return keras.Model({"a": a, "b": b}, {"both": both, "pooled": pooled}, name="net")


def nested_inputs(rng):
    shapes = {"a": (2, 19, 19, 4), "b": (2, 13, 15, 4)}
    return {
        name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()
    }


def assert_same_outputs(model, other, inputs, terms):
    largest = max(np.abs(x).max() for x in keras.tree.flatten(inputs))
    pairs = zip(*(keras.tree.flatten(m(inputs)) for m in (model, other)), strict=True)
    for one, two in pairs:
        assert_close(one, two, **tolerance("float32", terms, largest))


def test_nested_and_shared(rng):
    model = random_weights(nested_model(), rng)
    before = [weight.numpy() for weight in model.weights]
    config = model.to_json()
    standard = to_standard(model)
    # 36 pixels of four channels behind each other in a convolution, then windows.
    assert_same_outputs(standard, model, nested_inputs(rng), 100)
    assert keras_lap.lap_layers(standard) == []
    assert standard.name == "net"
    assert [layer.name for layer in standard.layers] == [
        layer.name for layer in model.layers
    ]
    inner = standard.get_layer("inner")
    assert isinstance(inner, keras.Sequential)
    assert not standard.get_layer("both").trainable
    for layer in (standard.get_layer("shared"), inner.get_layer("in_sequential")):
        assert "keras_lap" not in str(keras.saving.serialize_keras_object(layer))
    for weight in standard.weights:
        weight.assign(weight + 1)
    assert model.to_json() == config
    for weight, value in zip(model.weights, before, strict=True):
        assert_identical(weight, value)


def test_maps_of_unknown_size_are_not_traced_anew(monkeypatch):
    monkeypatch.setattr(Call, "make", None)
    model = keras.Sequential([keras.Input((None, None, 2)), keras_lap.LAPooling2D(2)])
    assert keras_lap.lap_layers(to_standard(model)) == []


@pytest.mark.parametrize("frozen", ["layer", "all else", "nothing"])
def test_frozen_lap_layers_stay_frozen(frozen):
    model = nested_model()
    laps = keras_lap.lap_layers(model)
    if frozen == "all else":
        model.trainable = False
    for layer in laps[1:]:
        layer.trainable = frozen != "layer"
    laps[0].trainable = frozen != "all else"
    assert len({layer.trainable for layer in laps}) == 1 + (frozen != "nothing")
    for layer in laps:
        layer.gate.assign(0.5)
    standard = to_standard(model)
    for layer in laps:
        owner = standard
        if layer.name == "in_sequential":
            owner = standard.get_layer("inner")
        part = owner.get_layer(layer.name)
        assert part.trainable == layer.trainable
        assert bool(part.trainable_weights) == layer.trainable


def test_layers_of_saved_models_are_copied(rng, tmp_path):
    inner = keras.Sequential([keras.Input((4, 4, 3)), layers.ReLU()])
    inner.export(tmp_path / "inner", verbose=False)
    saved = layers.TFSMLayer(str(tmp_path / "inner"), call_endpoint="serve")
    x = keras.Input((4, 4, 3))
    model = keras.Model(x, saved(x))
    inputs = rng.normal(size=(2, 4, 4, 3)).astype("float32")
    assert_identical(to_standard(model)(inputs), model(inputs))


def test_without_lap_layers_it_is_a_copy(rng):
    x = keras.Input((5,))
    model = keras.Model(x, layers.Dense(3)(x))
    inputs = rng.normal(size=(2, 5)).astype("float32")
    assert_identical(to_standard(model)(inputs), model(inputs))


# Errors.


class OwnPooling(keras_lap.LAPooling2D):
    def call(self, inputs, training=None):
        return 2 * super().call(inputs, training=training)


class Subclassed(keras.Model):
    def call(self, x):
        return x


def pooled(layer, shape=(8, 8, 3), **options):
    x = keras.Input(shape)
    return keras.Model(x, layer(x, **options))


def two_sizes():
    layer = keras_lap.LAPooling2D(3, 2, "same", name="pool")
    x, y = keras.Input((9, 8, 3)), keras.Input((6, 8, 3))
    return keras.Model([x, y], [layer(x), layer(y)])


REFUSED = {
    r"'pool' \(LAPooling2D\) inside 'frames' of class TimeDistributed": lambda: pooled(
        layers.TimeDistributed(keras_lap.LAPooling2D(2, name="pool"), name="frames"),
        (4, 8, 8, 3),
    ),
    "'own' of class OwnPooling, which may": lambda: pooled(OwnPooling(2, name="own")),
    "`keras_lap.la_pool` called in the graph": lambda: pooled(
        lambda x: keras_lap.la_pool(x, x, 2.0, 2, gating=None)
    ),
    "class Subclassed": Subclassed,
    r"'pool' to read maps of a known size.*\(None, 8\)": lambda: pooled(
        keras_lap.LAPooling2D(3, 2, "same", name="pool"), (None, 8, 3)
    ),
    r"sizes \([69], 8\), \([69], 8\), .* differ between its calls": two_sizes,
}


@pytest.mark.parametrize("message", REFUSED)
def test_refuses(message):
    model = REFUSED[message]()
    with pytest.raises(ValueError, match=message):
        to_standard(model)


def test_refuses_what_is_no_model():
    with pytest.raises(TypeError, match="model of type int"):
        to_standard(3)


@pytest.mark.parametrize("structure", [lambda x: x, lambda x: [x]])
def test_the_advice_for_unknown_sizes(structure, rng):
    inputs = keras.Input((None, None, 3))
    inner = pooled(keras_lap.LAPooling2D(3, 2, "same", hidden=2), (None, None, 3))
    model = random_weights(keras.Model(structure(inputs), inner(inputs)), rng)
    with pytest.raises(ValueError, match=r"input_tensors=inputs.*`model.input`"):
        to_standard(model)
    inputs = structure(keras.Input((8, 9, 3)))
    copy = keras.models.clone_model(model, input_tensors=inputs)
    copy.set_weights(model.get_weights())
    x = rng.normal(size=(2, 8, 9, 3)).astype("float32")
    assert_same_outputs(to_standard(copy), model, structure(x), 9)


# Where it runs.


@pytest.fixture(scope="module")
def trained():
    """A standard network, an input, and what the converted one makes of it.

    The gates of the converted network are closed, half open and open.
    """
    rng = np.random.default_rng(0)
    build = keras.applications.MobileNet
    full = build(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.25)
    x = full.get_layer("conv_pw_2_relu").output
    x = layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D(name="head")(x))
    model = keras.Model(full.input, x)
    converted = keras_lap.convert(model, where="all", hidden=3)
    random_weights(converted, rng)
    assert {float(layer.gate) for layer in keras_lap.lap_layers(converted)} == {
        float(np.float32(gate)) for gate in GATES
    }
    x = rng.normal(size=(3, 32, 32, 3)).astype("float32")
    return to_standard(converted), x, converted.predict(x, verbose=0)


# Through the network sums of up to 64 products follow each other, ten of them.
NETWORK = {"rtol": 1e-5, "atol": 1e-5}

WITHOUT_KERAS_LAP = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "keras_lap":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
try:
    import keras_lap
except ModuleNotFoundError:
    import keras, numpy as np, tensorflow as tf
else:
    sys.exit("keras_lap can be imported")

x = np.load("x.npy")
reloaded = keras.saving.load_model("model.keras").predict(x, verbose=0)
served = tf.saved_model.load("served")
np.savez("y.npz", reloaded=reloaded, served=served.serve(x))
assert not [name for name in sys.modules if name.startswith("keras_lap")]
"""


def test_runs_where_keras_lap_is_not_installed(trained, tmp_path):
    standard, x, expected = trained
    standard.save(tmp_path / "model.keras")
    standard.export(tmp_path / "served", verbose=False)
    np.save(tmp_path / "x.npy", x)
    subprocess.run(fresh_python(WITHOUT_KERAS_LAP), check=True, cwd=tmp_path)
    y = np.load(tmp_path / "y.npz")
    assert_identical(y["reloaded"], standard.predict(x, verbose=0))
    assert_close(y["reloaded"], expected, **NETWORK)
    assert_close(y["served"], expected, **NETWORK)


def run_litert(model, inputs, path):
    """Converts a model to LiteRT; returns its outputs in the order of their names."""
    reason = "ai-edge-litert, LiteRT's interpreter, is not installed"
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason=reason)
    model.export(path, format="litert", verbose=False)
    # Without the Flex delegate: an operation that is not built in is an error.
    runner = interpreter.Interpreter(str(path)).get_signature_runner()
    (name,) = runner.get_input_details()
    outputs = runner(**{name: inputs})
    return [outputs[name] for name in sorted(outputs)]


def test_runs_in_litert(trained, tmp_path):
    standard, x, expected = trained
    (y,) = run_litert(standard, x, tmp_path / "model.tflite")
    assert_close(y, expected, **NETWORK)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.thorough
def test_every_rank_is_built_into_litert(rank, tmp_path, rng):
    windowed = LAYER_CASES[f"LAPooling{rank}D"]
    overall = LAYER_CASES[f"GlobalLAPooling{rank}D"]
    pools = [
        windowed.make(base="avg", concepts=2, score_activation="ramp"),
        windowed.make(base="first", scores="features", gating=None),
        overall.make(base="max", concepts=2, scores="noisy_or", hidden=3),
    ]
    inputs = keras.Input((*windowed.sizes, 4))
    model = keras.Model(
        inputs, {str(i): layers.Flatten()(pool(inputs)) for i, pool in enumerate(pools)}
    )
    random_weights(model, rng)
    for pool in pools:
        pool.gate.assign(0.4)
    x = windowed.features(rng)
    outputs = run_litert(to_standard(model), x, tmp_path / "model.tflite")
    for y, (_, expected) in zip(outputs, sorted(model(x).items()), strict=True):
        assert_close(y, expected, **float32_tolerance(x, windowed.pixels))


def test_runs_in_onnx(trained, tmp_path):
    import onnxruntime

    standard, x, expected = trained
    standard.predict(x, verbose=0)  # Keras asks for a model that was called.
    standard.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    assert_close(y, expected, **NETWORK)
