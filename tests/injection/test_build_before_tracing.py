"""What is built before a step is traced is what Keras would build in it."""

import keras
import numpy as np
import pytest
from keras import layers, optimizers

tf = pytest.importorskip("tensorflow", reason="elsewhere Keras builds first by itself")

from keras_lap import GlobalLAPooling2D  # noqa: E402
from keras_lap.callbacks import KnowledgeInjection  # noqa: E402
from keras_lap.injection.step.build_before_tracing import (  # noqa: E402
    build_before_tracing,
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


def compiled(outputs=1, kind=keras.Model, layer=None, optimizer="adam"):
    image = keras.Input((2,))
    ends = [(layer or layers.Dense(3))(image) for _ in range(outputs)]
    model = kind(image, ends if outputs > 1 else ends[0])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
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
    plain = compiled(optimizer=make())
    plain.train_on_batch(X, Y)
    expected = names_of(plain)
    keras.utils.clear_session()
    model = compiled(optimizer=make())
    build_before_tracing(model, SPECS, True)
    assert names_of(model) == expected


def test_an_evaluation_builds_no_optimizer():
    model = compiled()
    build_before_tracing(model, SPECS, False)
    assert not model.optimizer.built
    assert [metric.name for metric in model.metrics] == ["loss", "compile_metrics"]


@pytest.mark.parametrize(
    "options, label",
    [
        ({"outputs": 2}, SPECS[1]),
        ({"kind": OwnStep}, SPECS[1]),
        ({"layer": BuiltInCall()}, SPECS[1]),
        ({}, tf.RaggedTensorSpec((None, None), "int64")),
        ({}, tf.TensorSpec(None, "int64")),
    ],
    ids=["two outputs", "own step", "built in its call", "ragged", "any rank"],
)
def test_leaves_to_keras_what_is_not_known(options, label):
    model = compiled(**options)
    build_before_tracing(model, (SPECS[0], label), True)
    assert not model.optimizer.built
    assert not model._compile_metrics.built


def first_logit(logits):
    return logits[:, 0, 0, 0]


@pytest.mark.parametrize("count", [1, 2])
def test_outputs_in_a_list(count):
    """Keras returns the only one of a list by itself."""
    image = keras.Input((4, 4, 1))
    pooled = GlobalLAPooling2D(concepts=3)(image)
    model = keras.Model([image], [layers.Dense(3)(pooled) for _ in range(count)])
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", cross_entropy, run_eagerly=True)
    label = Y if count == 1 else dict.fromkeys(model.output_names, Y)
    logs = model.fit(
        np.ones((4, 4, 4, 1)),
        {"label": label},
        callbacks=[KnowledgeInjection([first_logit])],
        verbose=0,
    ).history
    assert np.isfinite([logs["loss"], logs["first_logit"]]).all()
