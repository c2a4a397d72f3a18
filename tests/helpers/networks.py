"""Small networks for the tests of surgery, and weights as training leaves them."""

import keras
from keras import layers

import keras_lap


def classifier(inputs, features, classes=5):
    """A model with a head of global pooling and a dense layer."""
    x = layers.GlobalAveragePooling2D(name="head")(features)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="net")


def randomise(model, rng):
    """Gives norms, biases and statistics the uneven values of a trained model."""
    for weight in model.weights:
        if weight.name in ("moving_variance", "gamma"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("moving_mean", "beta", "bias"):
            weight.assign(rng.normal(0, 0.2, weight.shape))
    return model


class Stubborn(layers.Layer):
    """Cannot be copied: its config lacks an argument that it needs."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)

    def call(self, x):
        return x

    def get_config(self):
        return {}


def lap_names(model):
    """Names of the LAP layers."""
    return [layer.name for layer in keras_lap.lap_layers(model)]


def row_of(plan, layer):
    """What a plan says of the layer of this name."""
    return next(row for row in plan.rows if row.layer == layer)


def reaches_of(plan):
    """Stage and receptive field of each LAP layer of a plan."""
    return {row.lap: (row.stage, row.receptive_field) for row in plan.rows if row.lap}
