"""Small models with LAP layers for the tests of explanations, and a slow flow."""

import itertools

import keras
import numpy as np
from keras import layers

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


def constant_model(*values, concepts=None):
    """LAP layers whose scores are constant, named `lap_0`, `lap_1` and so on."""
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
    model = keras.Sequential([keras.Input((8, 6, 3)), *laps])
    for lap in laps:
        kernel, bias = lap.head.logits.get_weights()
        lap.head.logits.set_weights([0 * kernel, bias])
    return model


def small_model(size=(16, 16), channels=3, nested=True):
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


def slow_windows(size, layer):
    """For every window of a layer, the pixels it holds."""
    if layer.pool_size is None:
        return {(0, 0): list(np.ndindex(*size))}
    axes = []
    for axis in (0, 1):
        window, step = layer.pool_size[axis], layer.strides[axis]
        before, after = 0, 0
        if layer.padding == "same":
            lacking = (-(-size[axis] // step) - 1) * step + window - size[axis]
            before, after = max(lacking, 0) // 2, -(-max(lacking, 0) // 2)
        elif layer.padding != "valid":
            before, after = layer.padding[axis]
        starts = range(-before, size[axis] + after - window + 1, step)
        axes.append(
            [[p for p in range(s, s + window) if 0 <= p < size[axis]] for s in starts]
        )
    return {
        (i, j): list(itertools.product(axes[0][i], axes[1][j]))
        for i, j in np.ndindex(len(axes[0]), len(axes[1]))
    }


def slow_flow_step(layer, alpha, scores, attention, passed):
    """`R(p) = S(p) max_u w_{u,p} R(u)` of one image and one concept."""
    relevance = np.zeros(scores.shape)
    for u, pixels in slow_windows(scores.shape, layer).items():
        best = max(attention[p] for p in pixels)
        for p in pixels:
            distance = alpha * (best - attention[p])
            power = distance**2 if layer.weighting == "gaussian" else distance
            got_through = scores[p] * np.exp(-power) * passed[u]
            relevance[p] = max(relevance[p], got_through)
    return relevance
