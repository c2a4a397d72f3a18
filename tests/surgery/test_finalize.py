"""`finalize` takes off what training needed and changes no output."""

import warnings

import keras
import pytest
from keras import layers
from layer_cases import CONFIGURATIONS, LAYER_CASES, randomize
from networks import Stubborn
from tolerances import assert_identical

import keras_lap
from keras_lap.surgery.finalize import REGULARIZERS, finalize
from keras_lap.utils.preprocessing_layers import AUGMENTATIONS

IMAGE = (16, 16, 3)


def names(model):
    return [layer.name for layer in model.layers]


def open_gates(model):
    for layer in keras_lap.lap_layers(model):
        if layer.base is not None:
            layer.gate.assign(1)
    return model


def finalize_silently(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return finalize(model)


def assert_same_predictions(final, model, rng, shape=IMAGE):
    x = (300 * rng.normal(size=(2, *shape))).astype("float32")
    for one, other in zip(
        *(keras.tree.flatten(m(x, training=False)) for m in (final, model)),
        strict=True,
    ):
        assert_identical(one, other)


def small_model(*extra):
    return keras.Sequential(
        [
            keras.Input(IMAGE),
            layers.Conv2D(4, 3, dtype="mixed_bfloat16", name="conv"),
            keras_lap.LAPooling2D(2, base="max", hidden=3, name="pool"),
            *extra,
            layers.BatchNormalization(name="norm"),
            keras_lap.GlobalLAPooling2D(base="avg", name="head"),
            layers.Dense(3, name="logits"),
        ],
        name="net",
    )


# Gates.


@pytest.mark.parametrize(
    "configuration", [name for name, c in CONFIGURATIONS.items() if c.get("base")]
)
@pytest.mark.parametrize("case", LAYER_CASES.values(), ids=LAYER_CASES)
@pytest.mark.one_in(4)
def test_open_gates_are_folded(case, configuration, rng):
    layer, x = case.built(rng, **CONFIGURATIONS[configuration])
    layer.gate.assign(1)
    inputs = keras.Input(x.shape[1:])
    final = finalize_silently(keras.Model(inputs, layer(inputs)))
    (folded,) = keras_lap.lap_layers(final)
    assert folded.get_config() == {**layer.get_config(), "base": None}
    assert {w.path for w in folded.weights} == {
        w.path for w in layer.weights if w is not layer.gate
    }
    assert_identical(final(x), layer(x))


def test_gates_that_are_not_open_keep_their_base(rng):
    model = small_model()
    randomize(model, rng)
    model.get_layer("pool").gate.assign(0.5)
    model.get_layer("head").gate.assign(1)
    with pytest.warns(UserWarning, match=r"base branch: 'pool' \(gate 0.5\)$"):
        final = finalize(model)
    assert [layer.base for layer in keras_lap.lap_layers(final)] == ["max", None]
    assert_same_predictions(final, model, rng)
    model.get_layer("pool").gate.assign(0)
    with pytest.warns(UserWarning, match=r"'pool' \(gate 0\)$"):
        assert_same_predictions(finalize(model), model, rng)


def test_layers_inside_custom_layers_are_named_and_stay(rng):
    frames = layers.TimeDistributed(keras_lap.LAPooling2D(2, base="max", name="pool"))
    x = keras.Input((4, 8, 8, 3))
    model = open_gates(keras.Model(x, frames(x)))
    with pytest.warns(UserWarning, match=r"'pool' \(gate 1\)$"):
        assert_same_predictions(finalize(model), model, rng, (4, 8, 8, 3))


def test_names_weights_flags_and_policies_stay(rng):
    model = open_gates(small_model(layers.Dropout(0.5)))
    randomize(model, rng)
    open_gates(model)
    pool = model.get_layer("pool")
    pool.head.hidden_layers[1].trainable = False
    pool.raw_alpha.trainable = False
    model.get_layer("head").trainable = False
    before = [(w.path, w.trainable, w.numpy()) for w in model.weights]
    final = finalize_silently(model)
    assert (type(final), final.name) == (keras.Sequential, "net")
    assert names(final) == ["conv", "pool", "norm", "head", "logits"]
    assert final.get_layer("conv").dtype_policy.name == "mixed_bfloat16"
    kept = [entry for entry in before if not entry[0].endswith(("gate", "seed_state"))]
    for weight, (path, trainable, value) in zip(final.weights, kept, strict=True):
        assert (weight.path, weight.trainable) == (path, trainable)
        assert_identical(weight, value)
    for layer in final.layers:
        assert layer.trainable == model.get_layer(layer.name).trainable
    assert_same_predictions(final, model, rng)
    for weight in final.weights:
        weight.assign(weight + 1)
    for weight, (_, trainable, value) in zip(model.weights, before, strict=True):
        assert weight.trainable == trainable
        assert_identical(weight, value)


# Layers for training.

ARGUMENTS = {
    layers.RandomRotation: (0.3,),
    layers.RandomShear: (0.2, 0.2),
    layers.RandomTranslation: (0.2, 0.2),
    layers.RandomPosterization: (4,),
}
HALF = (
    *(layers.RandomBrightness, layers.RandomContrast, layers.RandomHue),
    *(layers.RandomColorDegeneration, layers.RandomSaturation),
    *(layers.RandomSharpness, layers.RandomZoom, layers.AlphaDropout),
    *(layers.Dropout, layers.GaussianDropout, layers.GaussianNoise),
    *(layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D),
)


def _arguments(kind):
    return ARGUMENTS.get(kind, (0.5,) if kind in HALF else ())


@pytest.mark.parametrize(
    "kind", AUGMENTATIONS + REGULARIZERS, ids=lambda kind: kind.__name__
)
def test_layers_for_training_are_taken_out(kind, rng):
    layer = kind(*_arguments(kind))
    shape = {layers.SpatialDropout1D: (16, 3), layers.SpatialDropout3D: (4, *IMAGE)}
    shape = shape.get(kind, IMAGE)
    x = keras.Input(shape)
    model = keras.Model(x, layers.ReLU(name="relu")(layer(x)))
    final = finalize_silently(model)
    assert names(final)[1:] == ["relu"]
    assert_same_predictions(final, model, rng, shape)


def test_layers_that_do_something_at_inference_stay(rng):
    x = keras.Input(IMAGE)
    y = layers.Dropout(0.5, name="monte_carlo")(x, training=True)
    inner = keras.Sequential([keras.Input(IMAGE), layers.Dropout(0.5)], name="inner")
    y = inner(y, training=True)
    y = layers.RandomCrop(16, 16, name="crop")(y)
    y = layers.Dropout(0.5, name="to_half", dtype="mixed_float16")(y)
    y = layers.Dropout(0.5, name="gone", dtype="float16")(y, training=False)
    y = layers.Dropout(0.5, name="output", dtype="float16")(y)
    model = keras.Model(x, y)
    final = finalize_silently(model)
    assert names(final)[1:] == ["monte_carlo", "inner", "crop", "to_half", "output"]
    assert final.output_names == model.output_names
    assert len(final.get_layer("inner").layers) == 1


def test_nested_models_of_such_layers_alone_are_taken_out(rng):
    augment = keras.Sequential(
        [layers.RandomFlip(), keras.Sequential([layers.RandomRotation(0.1)])],
        name="augment",
    )
    tail = keras.Sequential(
        [layers.Dropout(0.5), layers.ReLU(name="relu")], name="tail"
    )
    x = keras.Input(IMAGE)
    y = layers.Add(name="y")([layers.Dropout(0.5)(tail(augment(x))), x])
    model = keras.Model(x, {"y": y, "x": layers.GaussianNoise(1.0, name="x")(x)})
    final = finalize_silently(model)
    assert set(names(final)[1:]) == {"tail", "x", "y"}
    assert names(final.get_layer("tail")) == ["relu"]
    assert set(final.output) == {"x", "y"}
    assert_same_predictions(final, model, rng)


@pytest.mark.parametrize(
    "kind",
    # Grey integers stay integers.
    [kind for kind in AUGMENTATIONS if kind is not layers.RandomGrayscale],
    ids=lambda kind: kind.__name__,
)
def test_of_augmentations_that_cast_the_cast_stays(kind, rng):
    layer = kind(*_arguments(kind), dtype="mixed_float16", name="augment")
    x = keras.Input(IMAGE, dtype="uint8")
    model = keras.Model(x, layers.ReLU(name="relu")(layer(x)))
    final = finalize_silently(model)
    assert names(final)[1:] == ["augment", "relu"]
    assert type(final.get_layer("augment")) is layers.Rescaling
    image = rng.integers(0, 255, (2, *IMAGE)).astype("uint8")
    assert_identical(final(image, training=False), model(image, training=False))


def test_of_a_nested_model_that_casts_the_cast_stays(rng):
    augment = keras.Sequential([keras.Input(IMAGE), layers.RandomFlip(name="flip")])
    x = keras.Input(IMAGE, dtype="uint8")
    y = layers.Add()([layers.ReLU()(augment(x)), layers.Dropout(0.5)(augment(x))])
    model = keras.Model(x, y + y)
    final = finalize_silently(model)
    assert type(final.get_layer(augment.name)) is layers.Rescaling
    image = rng.integers(0, 255, (2, *IMAGE)).astype("uint8")
    assert_identical(final(image, training=False), model(image, training=False))


def test_of_layers_inside_a_nested_model_the_cast_stays(rng):
    half = {"dtype": "mixed_float16"}
    augment = keras.Sequential(
        [
            keras.Input(IMAGE),
            layers.RandomFlip(**half, name="flip"),
            layers.RandomRotation(0.1, **half),
        ],
        name="augment",
    )
    x = keras.Input(IMAGE)
    model = keras.Model(x, layers.ReLU(**half)(augment(x, training=False)))
    final = finalize_silently(model)
    assert names(final.get_layer("augment")) == ["flip"]
    assert type(final.get_layer("augment").layers[0]) is layers.Rescaling
    assert_same_predictions(final, model, rng)


def test_a_layer_shared_with_a_call_in_training_stays():
    shared = layers.Dropout(0.5, name="shared")
    x = keras.Input(IMAGE)
    model = keras.Model(x, shared(layers.ReLU()(shared(x)), training=True))
    assert "shared" in names(finalize_silently(model))


def test_a_model_keeps_its_only_layer(rng):
    model = keras.Sequential([keras.Input(IMAGE), layers.Dropout(0.5, name="only")])
    final = finalize_silently(model)
    assert names(final) == ["only"]
    assert_same_predictions(final, model, rng)


def test_nothing_to_do_gives_a_copy(rng):
    x = keras.Input(IMAGE)
    y = keras_lap.GlobalLAPooling2D(name="head")(layers.Conv2D(4, 3)(x))
    model = keras.Model(x, y)
    final = finalize_silently(model)
    assert final is not model
    assert final.get_config() == model.get_config()
    assert not {id(w) for w in final.weights} & {id(w) for w in model.weights}
    assert_same_predictions(final, model, rng)


# Errors.


class Subclassed(keras.Model):
    def call(self, x):
        return x


def test_refuses():
    with pytest.raises(TypeError, match="model of type str"):
        finalize("model.keras")
    with pytest.raises(ValueError, match="class Subclassed"):
        finalize(Subclassed())
    model = open_gates(small_model(Stubborn(3, name="stubborn")))
    before = [(w.path, w.trainable, w.numpy().tobytes()) for w in model.weights]
    with pytest.raises(ValueError, match="'stubborn' of class Stubborn"):
        finalize(model)
    assert before == [(w.path, w.trainable, w.numpy().tobytes()) for w in model.weights]
    assert keras_lap.lap_layers(model)[0].base == "max"
