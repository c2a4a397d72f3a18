"""Losses on layers that nothing that is trained can change."""

import warnings

import keras
import pytest
from keras import layers

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import Consistency, Necessity, Presence

pytestmark = pytest.mark.torch_suffices


def told(loss, trainable, **options):
    """What is said of frozen layers of a model that has some in front of others.

    Args:
        loss: The loss.
        trainable: Name of the single layer that is trained beside the classifier.
        **options: Further arguments of `KnowledgeInjection`.
    """
    features = [
        keras.Input((8, 8, 1)),
        layers.Conv2D(2, 1, name="conv"),
        LAPooling2D(2, name="pool"),
        layers.Conv2D(2, 1, name="between"),
        GlobalLAPooling2D(concepts=2, name="head"),
    ]
    body = keras.Sequential(features)
    model = keras.Sequential([body, layers.Dense(2, activation="softmax")])
    for layer in body.layers:
        layer.trainable = layer.name == trainable
    return told_of(model, loss, **options)


def told_of(model, loss, **options):
    """What is said of frozen layers as the training of a model begins."""
    model.compile("sgd", "sparse_categorical_crossentropy")
    injection = KnowledgeInjection([loss], **options)
    injection.set_model(model)
    injection.set_params({"epochs": 1})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        injection.on_train_begin()
    return [text for each in caught if "frozen" in (text := str(each.message))]


@pytest.mark.parametrize("loss", [Presence(), Consistency()])
def test_warns_of_losses_that_change_nothing(loss):
    (message,) = told(loss, trainable=None)
    assert repr(loss.name) in message
    assert "['pool', 'head']" in message
    assert len(told(loss, trainable="between", layers="pool")) == 1


@pytest.mark.parametrize("trainable", ["conv", "pool", "between", "head"])
def test_says_nothing_where_something_leads_to_their_scores(trainable):
    assert told(Presence(), trainable) == []


@pytest.mark.parametrize("trainable", [False, True])
def test_looks_behind_a_frozen_base(trainable):
    base = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(2, 1), LAPooling2D(2, name="pool")]
    )
    base.trainable = False
    head = GlobalLAPooling2D(concepts=2, trainable=trainable)
    model = keras.Sequential([base, head, layers.Dense(2, activation="softmax")])
    assert len(told_of(model, Presence())) == (not trainable)
    assert len(told_of(model, Presence(), layers="pool")) == 1


class Block(layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.pool = GlobalLAPooling2D(concepts=2)

    def call(self, x):
        return self.pool(x)


@pytest.mark.parametrize("trainable", ["none", "conv", "block"])
def test_looks_into_layers_of_ones_own(trainable):
    features = [
        keras.Input((8, 8, 1)),
        layers.Conv2D(2, 1, name="conv"),
        Block(name="block"),
        layers.Dense(2, activation="softmax"),
    ]
    model = keras.Sequential(features)
    for layer in model.layers[:2]:
        layer.trainable = layer.name == trainable
    assert len(told_of(model, Presence())) == (trainable == "none")


def test_says_nothing_of_other_losses():
    assert told(Necessity(), trainable=None) == []
    assert told(Presence(), trainable=None, weights=0) == []
