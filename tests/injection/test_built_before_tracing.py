"""What is built before a step is traced is what Keras would build in it."""

import keras
import numpy as np
import pytest
from keras import layers, optimizers

tf = pytest.importorskip("tensorflow", reason="elsewhere Keras builds first by itself")

from keras_lap.injection.step.built_before_tracing import (  # noqa: E402
    built_before_tracing,
)

X, Y = np.ones((4, 2), "float32"), np.array([0, 1, 2, 0])
SPECS = tf.TensorSpec((None, 2)), tf.TensorSpec((None,), "int64")


class OwnStep(keras.Model):
    def train_step(self, data):
        return super().train_step(data)


class BuiltInCall(layers.Layer):
    """Keras takes it for built as soon as its shapes are known."""

    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(3)

    def build(self, shape):
        pass

    def compute_output_shape(self, shape):
        return (*shape[:-1], 3)

    def call(self, x):
        return self.inner(x)


class Total(layers.Layer):
    def call(self, x):
        return keras.ops.sum(x)


def compiled(outputs=1, kind=keras.Model, layer=None, optimizer="adam", **options):
    image = keras.Input((2,))
    ends = [(layer or layers.Dense(3))(image) for _ in range(outputs)]
    model = kind(image, ends)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, metrics=["accuracy"], **options)
    return model


def with_a_step_of_its_own():
    model = compiled()
    model.train_step = lambda data: {}
    return model


def names_of(model):
    return [v.path for v in (*model.optimizer.variables, *model.metrics_variables)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: optimizers.Adam(),
        lambda: optimizers.SGD(momentum=0.9, use_ema=True),
        lambda: optimizers.LossScaleOptimizer(optimizers.RMSprop()),
    ],
    ids=["adam", "averages", "loss scale"],
)
def test_has_the_variables_and_names_of_a_plain_step(make):
    keras.utils.clear_session()
    plain = compiled(optimizer=make(), run_eagerly=True)
    plain.train_on_batch(X, Y)
    expected = names_of(plain)
    keras.utils.clear_session()
    model = compiled(optimizer=make())
    with built_before_tracing(model, SPECS, True):
        assert names_of(model) == expected


def test_an_evaluation_builds_no_optimizer():
    model = compiled()
    with built_before_tracing(model, SPECS, False):
        assert model._compile_metrics.built
        assert not model.optimizer.built


def test_a_step_that_fails_leaves_the_choice_of_metrics_open():
    """The next labels may be one-hot."""
    model = compiled()
    with pytest.raises(ZeroDivisionError), built_before_tracing(model, SPECS, True):
        assert model._compile_metrics.built
        raise ZeroDivisionError
    assert not model._compile_metrics.built


@pytest.mark.parametrize(
    "make, label",
    [
        (lambda: compiled(outputs=2), SPECS[1]),
        (lambda: compiled(layer=Total()), SPECS[1]),
        (lambda: compiled(kind=OwnStep), SPECS[1]),
        (with_a_step_of_its_own, SPECS[1]),
        (lambda: compiled(layer=BuiltInCall()), SPECS[1]),
        (lambda: compiled(layer=layers.Lambda(lambda x: x, (None,))), SPECS[1]),
        (lambda: compiled(run_eagerly=True), SPECS[1]),
        (compiled, tf.RaggedTensorSpec((None, None), "int64")),
        (compiled, tf.TensorSpec(None, "int64")),
    ],
    ids=[
        "two outputs",
        "an output without axes",
        "own step",
        "own step of one model",
        "built in its call",
        "any number of classes",
        "not traced",
        "ragged",
        "any rank",
    ],
)
def test_leaves_to_keras_what_is_not_known(make, label):
    model = make()
    with built_before_tracing(model, (SPECS[0], label), True):
        assert not model.optimizer.built
        assert not model._compile_metrics.built
