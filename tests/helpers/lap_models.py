"""Small models with LAP layers for the tests of explanations, and a slow flow."""

import keras
import numpy as np
from keras import layers
from oracle import lies_inside, pooling_windows, weights

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.explanation import explain

SLOPE = 8.0


def maps_of(model, images, *arguments, **options):
    """The maps alone of an explanation."""
    return explain(model, images, *arguments, **options).maps


def score_brightness(lap):
    """Makes every concept score a growing function of the sum over the channels."""
    kernel, bias = lap.head.logits.get_weights()
    lap.head.logits.set_weights([SLOPE + 0 * kernel, -SLOPE / 2 + 0 * bias])


def constant_laps(*values, concepts=None):
    """LAP layers of three channels with constant scores, named `lap_0`, `lap_1`, ..."""
    concepts = concepts or [1] * len(values)
    laps = [
        LAPooling2D(
            2,
            strides=1,
            padding="same",
            concepts=count,
            initial_score=value,
            gating=None,
            name=f"lap_{index}",
        )
        for index, (value, count) in enumerate(zip(values, concepts, strict=True))
    ]
    for lap in laps:
        lap.build((None, None, None, 3))
        kernel, bias = lap.head.logits.get_weights()
        lap.head.logits.set_weights([0 * kernel, bias])
    return laps


def constant_model(*values, concepts=None):
    """A model of `constant_laps` in a row."""
    laps = constant_laps(*values, concepts=concepts)
    return keras.Sequential([keras.Input((8, 6, 3)), *laps])


def small_lap_model(size=(16, 16), channels=3, nested=True):
    backbone = keras.Sequential(
        [
            keras.Input((*size, channels)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            LAPooling2D(2, name="shallow"),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
        ],
        name="backbone",
    )
    inputs = keras.Input((*size, channels))
    x = backbone(inputs) if nested else inputs
    if not nested:
        for layer in backbone.layers:
            x = layer(x)
    x = GlobalLAPooling2D(concepts=3, name="deep")(x)
    return keras.Model(inputs, layers.Dense(3)(x))


def slow_flow_step(layer, alpha, scores, attention, passed):
    """`R(p) = S(p) max_u w_{u,p} R(u)` of one image and one concept."""
    relevance, sizes = np.zeros(scores.shape), scores.shape
    windows = pooling_windows(sizes, layer.pool_size, layer.strides, layer.padding)
    for u, pixels in windows.items():
        real = [p for p in pixels if lies_inside(p, sizes)]
        A = np.array([attention[p] for p in real])
        shares = weights(A.max() - A, alpha, layer.weighting)
        for p, share in zip(real, shares, strict=True):
            relevance[p] = max(relevance[p], scores[p] * share * passed[u])
    return relevance
