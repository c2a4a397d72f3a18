"""What is copied of a model that is converted, which stays as it is."""

import keras
import numpy as np
import pytest
from converted_models import RandomGraph, assert_same_function, small_model
from keras import layers, ops
from networks import Stubborn, classifier, randomise
from tolerances import assert_close

from keras_lap import lap_layers
from keras_lap.surgery import convert, finalize, to_standard

pytestmark = pytest.mark.torch_suffices


def fingerprint(model):
    """Everything of a model that conversion could have touched."""
    parts = model._flatten_layers()
    return (
        model.to_json(),
        [id(part) for part in parts],
        [(len(p._inbound_nodes), len(p._outbound_nodes)) for p in parts],
        [(w.path, w.trainable, w.numpy().tobytes()) for w in model.variables],
    )


def test_the_given_model_is_untouched(rng):
    model = randomise(RandomGraph(3).model(), rng)
    model.compile("sgd", "mse")
    before = fingerprint(model)
    converted = convert(model, where="all")
    for weight in converted.weights:
        weight.assign(weight + 1)
    converted.trainable = False
    assert fingerprint(model) == before
    assert not {id(part) for part in model._flatten_layers()} & {
        id(part) for part in converted._flatten_layers()
    }


def test_the_given_model_is_untouched_by_a_failure():
    x = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.MaxPooling2D()])
    model = classifier(x, Stubborn(3, name="stubborn")(inner(x)))
    before = fingerprint(model)
    with pytest.raises(ValueError, match="'stubborn' of class Stubborn"):
        convert(model)
    assert fingerprint(model) == before


def test_names_flags_policies_and_regularisers_are_kept():
    x = inputs = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(
        4,
        3,
        kernel_regularizer="l2",
        kernel_constraint="non_neg",
        dtype="mixed_float16",
        name="conv",
    )(x)
    norm = layers.BatchNormalization(name="norm")
    inner = keras.Sequential([layers.MaxPooling2D(name="pool"), norm], name="inner")
    model = classifier(inputs, inner(x))
    model.get_layer("conv").trainable = False
    norm.gamma.trainable = False
    converted = convert(model)
    assert converted.name == "net"
    assert [layer.name for layer in converted.layers] == [
        layer.name for layer in model.layers
    ]
    for name in ("conv", "inner", "logits"):
        old, new = model.get_layer(name), converted.get_layer(name)
        assert type(new) is type(old)
        assert new.trainable == old.trainable
        assert [w.path for w in new.weights if "pool" not in w.path] == [
            w.path for w in old.weights
        ]
    conv = converted.get_layer("conv")
    assert conv.get_config() == model.get_layer("conv").get_config()
    copied_norm = converted.get_layer("inner").get_layer("norm")
    assert [w.trainable for w in copied_norm.weights] == [False, True, False, False]
    pool = converted.get_layer("inner").get_layer("pool")
    assert pool.trainable
    assert pool.dtype_policy == keras.DTypePolicy("float32")
    assert not converted.compiled


@pytest.mark.parametrize("frozen", ["inner", "outer"])
def test_frozen_models_stay_frozen_except_for_what_is_new(frozen, rng, tmp_path):
    base = small_model()
    x = keras.Input((24, 24, 3))
    model = randomise(keras.Model(x, layers.Dense(2)(base(x, training=False))), rng)
    if frozen == "outer":
        model.trainable = False
        base.trainable = True
    base.get_layer("norm").trainable = False
    base.trainable = frozen != "inner"
    base.get_layer("last").trainable = True
    converted = convert(model)
    copied = converted.get_layer("net")
    assert converted.trainable and copied.trainable
    for name in ("conv", "norm", "last", "logits"):
        is_trainable = frozen == "inner" and base.get_layer(name).trainable
        assert copied.get_layer(name).trainable == is_trainable
    assert all(layer.trainable for layer in lap_layers(converted))
    assert not any(layer.gate.trainable for layer in lap_layers(converted))
    new = [w.path for layer in lap_layers(converted) for w in layer.trainable_weights]
    kept = [w.path for w in model.trainable_weights]
    assert {w.path for w in converted.trainable_weights} == {*new, *kept}
    assert len(converted.trainable_weights) == len(new) + len(kept) > 0
    assert_same_function(converted, model, rng)
    for ending in ("h5", "keras"):
        converted.save(tmp_path / f"model.{ending}")
        loaded = keras.saving.load_model(tmp_path / f"model.{ending}")
        assert_same_function(loaded, converted, rng)
        flags = [weight.trainable for weight in loaded.weights]
        assert flags == [weight.trainable for weight in converted.weights]


class Scale(layers.Layer):
    """A custom layer, not registered, with a weight and a layer inside."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units)

    def build(self, input_shape):
        self.dense.build(input_shape)
        self.scale = self.add_weight(name="scale", initializer="ones")

    def call(self, inputs):
        return self.scale * self.dense(inputs)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


FACTOR = 3.0
SCALED = {
    "output_shape": lambda shape: (None, *shape[1:3], int(FACTOR)),
    "mask": lambda x, mask: mask if FACTOR else None,
}


def test_layers_with_state_of_their_own(rng):
    adapted = layers.Normalization()
    adapted.adapt(rng.normal(3, 2, (10, 8, 8, 3)))
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Lambda(lambda x: FACTOR * x, **SCALED)(adapted(x))
    x = Scale(4, name="scale")(layers.MaxPooling2D()(x))
    model = classifier(inputs, layers.Dropout(0.5)(x))
    model.get_layer("scale").scale.assign(0.3)
    assert_same_function(convert(model), model, rng)


def test_sequential_models_stay_sequential(rng):
    inner = keras.Sequential([layers.MaxPooling2D(), layers.ReLU()])
    model = keras.Sequential(
        [
            keras.Input((15, 15, 3)),
            layers.Conv2D(4, 3, strides=2, padding="same", name="conv"),
            layers.ZeroPadding2D(1, name="zeros"),
            layers.MaxPooling2D(3, strides=1),
            inner,
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    converted = convert(randomise(model, rng), where="all")
    assert isinstance(converted, keras.Sequential)
    assert len(converted.layers) == len(model.layers) + 2
    assert_same_function(converted, model, rng)


def test_subclasses_that_only_train_otherwise_keep_their_class(rng):
    class Own(keras.Model):
        def train_step(self, data):
            return {"loss": 0.0}

    base = small_model()
    assert type(convert(Own(base.input, base.output))) is Own

    class WithOwnConstructor(keras.Model):
        def __init__(self, classes):
            x = keras.Input((8, 8, 3))
            y = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(x))
            super().__init__(x, layers.Dense(classes)(y))

    model = WithOwnConstructor(4)
    assert_same_function(convert(model), model, rng)


def test_what_was_set_on_weights_is_kept(rng):
    model = randomise(small_model(), rng)
    weight = next(each for each in model.weights if each.path.endswith("kernel"))
    weight.regularizer = keras.regularizers.L2(0.1)
    weight.constraint = keras.constraints.NonNeg()
    converted = convert(model)
    twin = next(each for each in converted.weights if each.path == weight.path)
    assert twin.regularizer is weight.regularizer
    assert twin.constraint is weight.constraint
    # What a layer alone says of weights that it has already is not heeded.
    layer = next(each for each in model.layers if each.weights)
    layer.bias_regularizer = keras.regularizers.L2(1.0)
    assert len(convert(model).losses) == len(model.losses)


@pytest.mark.parametrize("where", ["pooling", "all"])
def test_activity_regularisers_see_the_same(where, rng):
    inputs = keras.Input((8, 8, 3))
    regularizer = keras.regularizers.L2(0.1)
    options = {"activity_regularizer": regularizer}
    x = layers.Conv2D(4, 1, strides=2, **options)(inputs)
    x = layers.MaxPooling2D(**options)(x)
    model = keras.Model(inputs, layers.GlobalAveragePooling2D(**options)(x))
    converted = convert(model, where=where)
    images = rng.normal(size=(2, 8, 8, 3))
    for network in (model, converted):
        network(images)
    assert len(converted.losses) == len(model.losses) == 3
    assert_close(converted.losses, model.losses, rtol=1e-5, atol=0)


def test_what_is_rematerialised_stays_so(rng):
    inputs = keras.Input((8, 8, 3))
    with keras.RematScope("full"):
        conv = layers.Conv2D(4, 3, strides=2, name="conv")
        pool = layers.MaxPooling2D(name="pool")
    with keras.RematScope("list_of_layers", layer_names=["last"]):
        last = layers.Conv2D(4, 1, name="last")
    model = classifier(inputs, last(pool(conv(inputs))))
    converted = convert(model, where="all")
    modes = {layer.name: layer._remat_mode for layer in model.layers}
    assert {layer.name: layer._remat_mode for layer in converted.layers} == {
        **modes,
        "conv_lap": modes["conv"],
    }
    assert_same_function(converted, model, rng)


@pytest.mark.parametrize("kind", [layers.Dense, Scale])
def test_low_rank_updates_go_on_learning(kind, rng):
    inputs = keras.Input((8, 8, 3))
    x = layers.MaxPooling2D()(inputs)
    layer = kind(4, name="updated")
    model = keras.Model(inputs, layer(layers.Flatten()(x)))
    dense = getattr(layer, "dense", layer)
    dense.enable_lora(2, lora_alpha=8)
    dense.lora_kernel_b.assign(np.ones(dense.lora_kernel_b.shape))
    converted = convert(model)
    twin = converted.get_layer("updated")
    twin = getattr(twin, "dense", twin)
    for name in ("lora_kernel_a", "lora_kernel_b"):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(getattr(twin, name)),
            ops.convert_to_numpy(getattr(dense, name)),
        )
    assert_same_function(model, converted, rng)


def test_a_layer_without_config_is_named():
    class Untold(layers.Layer):
        def __init__(self, function):
            super().__init__(name="untold")

        def call(self, x):
            return x

    inputs = keras.Input((8, 8, 3))
    x = layers.MaxPooling2D()(Untold(print)(inputs))
    with pytest.raises(ValueError, match="layer 'untold' of class Untold"):
        convert(keras.Model(inputs, x))


class Sharing(layers.Layer):
    """Its config holds the layer inside it."""

    def __init__(self, dense, **kwargs):
        super().__init__(**kwargs)
        self.dense = dense

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {**super().get_config(), "dense": self.dense}


def test_copies_share_no_layer():
    inputs = keras.Input((8, 8, 3))
    layer = Sharing(layers.Dense(2, name="inner"), name="sharing")
    model = keras.Model(inputs, layer(layers.MaxPooling2D()(inputs)))
    message = r"'inner' \(Dense\) inside 'sharing' \(Sharing\), .*same object"
    with pytest.raises(ValueError, match=message):
        convert(model)


@pytest.mark.parametrize("mode", ["int8", "float8"])
@pytest.mark.filterwarnings(r"ignore:.*(not quantised|`quantize` method):UserWarning")
def test_a_quantised_model_is_saved_and_copied(mode, rng, tmp_path):
    x = keras.Input((8, 8, 3))
    model = classifier(x, layers.MaxPooling2D(name="pool")(x))
    converted = randomise(convert(model, hidden=4), rng)
    with pytest.warns(UserWarning, match="'pool/score_head/hidden' scores concepts in"):
        converted.quantize(mode)
    for layer in lap_layers(converted):
        layer.gate.assign(1)
    converted.save(tmp_path / "quantised.keras")
    reloaded = keras.saving.load_model(tmp_path / "quantised.keras")
    for copy in (reloaded, finalize(converted), to_standard(converted)):
        assert copy.get_layer("logits").quantization_mode == mode
        assert_same_function(copy, converted, rng)


def test_layers_inside_others_are_quantised_later():
    inputs = keras.Input((8, 8, 3))
    layer = Scale(4, name="scale")
    model = keras.Model(inputs, layer(layers.MaxPooling2D()(inputs)))
    layer.dense.quantize("int8")
    message = r"'dense.*' \(Dense\), quantised to 'int8', inside 'scale' \(Scale\)"
    with pytest.raises(ValueError, match=message):
        convert(model)


def test_layers_quantised_to_floats_are_copied(rng):
    inputs = keras.Input((8, 8, 3))
    x = layers.Flatten()(layers.MaxPooling2D()(inputs))
    dense = layers.Dense(4, kernel_regularizer="l2", name="dense")
    model = keras.Model(inputs, dense(x))
    dense.quantize("float8")
    assert_same_function(convert(model), model, rng)
