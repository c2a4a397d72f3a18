"""Copies of models keep what is shared, looked up, scaled, or say why they cannot."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tolerances import assert_identical

from keras_lap.surgery.read_graph import read_graph
from keras_lap.surgery.rebuild import rebuild


def copy_of(model):
    return rebuild(read_graph(model), {}).model


def model_of(layer, shape=(3,), dtype=None):
    x = keras.Input(shape, dtype=dtype)
    return keras.Model(x, layer(x), name="net")


# Weights in two layers.


def test_weights_shared_through_a_wrapper_are_not_untied():
    shared = layers.Dense(2, name="shared")
    x, series = keras.Input((3,)), keras.Input((5, 3))
    frames = layers.TimeDistributed(shared, name="frames")
    model = keras.Model([x, series], [shared(x), frames(series)])
    message = (
        r"'frames' \(TimeDistributed\) and 'shared' \(Dense\), which share 'shared/"
        r"kernel'.*`TimeDistributed` can read"
    )
    with pytest.raises(ValueError, match=message):
        copy_of(model)


def test_a_layer_called_twice_stays_shared():
    shared = layers.Dense(3)
    x = keras.Input((3,))
    assert len(copy_of(keras.Model(x, shared(shared(x)))).weights) == 2


# What a model has besides its layers.


@pytest.mark.parametrize("sequential", [True, False])
def test_a_model_keeps_its_dtype_policy(sequential):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = model_of(layers.Dense(2))
        if sequential:
            model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    finally:
        keras.config.set_dtype_policy("float32")
    copy = copy_of(model)
    copy.compile("adam", "mse")
    assert isinstance(copy.optimizer, keras.optimizers.LossScaleOptimizer)
    assert copy.layers[-1].dtype_policy.name == "mixed_float16"


# Vocabularies.

WORDS = np.array([["a b"], ["c"], ["b b"]])
LOOKUPS = {
    "one-hot": (lambda: layers.StringLookup(output_mode="one_hot"), WORDS),
    "tf-idf": (lambda: layers.TextVectorization(output_mode="tf_idf"), WORDS),
    "text": (lambda: layers.TextVectorization(output_sequence_length=2), WORDS),
    "integers": (lambda: layers.IntegerLookup(mask_token=0), np.array([[7], [3], [0]])),
    "given": (lambda: layers.StringLookup(vocabulary=["a b", "c"]), WORDS),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_vocabularies_are_copied(name):
    make, values = LOOKUPS[name]
    layer = make()
    if name != "given":
        layer.adapt(values)
    dtype = "int64" if name == "integers" else "string"
    model = model_of(layer, (1,), dtype)
    x = tf.constant(values, dtype)
    y = copy_of(model)(x)
    assert_identical(y, model(x))
    assert len(np.unique(y)) > 1


def test_a_layer_without_a_vocabulary_can_be_copied():
    layer = layers.StringLookup()
    copy = copy_of(model_of(layer, (1,), "string"))
    assert copy.layers[-1].get_vocabulary() == layer.get_vocabulary()


# Layers that cannot be copied.


def twice(x):
    return 2 * x


@pytest.mark.parametrize("activation", [twice, lambda x: 2 * x], ids=["def", "lambda"])
@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_unregistered_functions_have_to_be_registered(activation):
    model = model_of(layers.Dense(2, activation=activation, name="dense"))
    with pytest.raises(ValueError, match="'dense' of class Dense") as error:
        copy_of(model)
    assert "`keras.saving.register_keras_serializable`" in str(error.value)
    assert "Make its `get_config`" not in str(error.value)
    keras.saving.register_keras_serializable("tests")(twice)
    model.layers[-1].activation = twice
    try:
        assert_identical(copy_of(model)(np.ones((1, 3))), model(np.ones((1, 3))))
    finally:
        name = keras.saving.get_registered_name(twice)
        keras.saving.get_custom_objects().pop(name)


class Unconfigured(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)

    def get_config(self):
        return layers.Layer.get_config(self)

    def call(self, x):
        return x


def test_own_layers_need_a_config():
    with pytest.raises(ValueError, match="Make its `get_config` return the arguments"):
        copy_of(model_of(Unconfigured(2)))
