"""The map of the label that losses change images by, and the blur."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from intervention_oracles import map_by_hand
from keras import ops
from numeric_gradients import directional_derivative
from tolerances import assert_close

from keras_lap.injection.losses.gaussian_blur import gaussian_blur
from keras_lap.injection.places.label_map import label_map
from keras_lap.losses import (
    Necessity,
    Sufficiency,
    SupervisedLayer,
)

pytest_plugins = ["injection_problem"]
both = pytest.mark.parametrize("kind", [Necessity, Sufficiency])
both_outputs = pytest.mark.parametrize("outputs", ["softmax", "sigmoid"])


def some_cells(count, begin, end):
    edges = np.linspace(begin, end, count + 1)
    return np.stack([edges[:-1], edges[1:]], axis=-1)


def some_layers(rng):
    """Three concepts, one, and a single pixel; off the image's edges or within."""
    three = np.array([[0, 1, 0], [1, 0, 1], [0, 0, 0], [0, 0, 0]])
    one = np.array([[1], [1], [1], [0]])
    return [
        (
            rng.normal(scale=3, size=(4, 3, 5, 3)),
            (some_cells(3, -0.1, 1.05), some_cells(5, 0.1, 0.8)),
            three,
        ),
        (
            rng.normal(scale=3, size=(4, 7, 6, 1)),
            (some_cells(7, 0, 1), some_cells(6, 0, 1)),
            one,
        ),
        (
            rng.normal(scale=3, size=(4, 1, 1, 3)),
            (some_cells(1, 0, 1), some_cells(1, 0.2, 1.4)),
            three,
        ),
    ]


def supervised(given, dtype="float64"):
    return [
        SupervisedLayer(ops.cast(z, dtype), cells, {"present": ops.cast(state, dtype)})
        for z, cells, state in given
    ]


def test_map_equals_the_oracle(rng):
    given = some_layers(rng)
    for some in (given, given[:1], given[2:]):
        maps, known = label_map(supervised(some), (6, 7))
        expected, expected_known = map_by_hand(some, (6, 7))
        assert_close(maps, expected[..., None], 1e-12, 1e-12)
        assert_close(known, expected_known, 0, 0)


def test_derivative_of_the_map_equals_differences(rng):
    given = some_layers(rng)
    upstream = rng.normal(size=(4, 6, 7))
    for i, (z, cells, state) in enumerate(given):

        def changed(z, i=i, cells=cells, state=state):
            return [*given[:i], (z, cells, state), *given[i + 1 :]]

        logits = tf.constant(z)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            maps, _ = label_map(supervised(changed(logits)), (6, 7))
            total = tf.reduce_sum(upstream * maps[..., 0])
        direction = rng.normal(size=z.shape)
        slope = directional_derivative(
            lambda z, changed=changed: np.sum(
                upstream * map_by_hand(changed(z), (6, 7))[0]
            ),
            z,
            direction,
        )
        assert abs(slope) > 0.01
        gradient = tape.gradient(total, logits)
        assert_close(np.sum(gradient * direction), slope, 1e-9, 1e-9)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("count", [1, 3])
def test_extreme_maps_stay_finite(rng, dtype, count):
    """Also where the geometric mean has an infinite slope."""
    given = [
        (rng.choice([-1e4, -200, 0, 1e4], size=z.shape), cells, state)
        for z, cells, state in some_layers(rng)[:count]
    ]
    z = [tf.cast(logits, dtype) for logits, _, _ in given]
    with tf.GradientTape() as tape:
        tape.watch(z)
        some = [(one, *rest) for one, (_, *rest) in zip(z, given, strict=True)]
        maps, _ = label_map(supervised(some, dtype), (6, 7))
    assert keras.backend.standardize_dtype(maps.dtype) == "float32"
    # The third root of the least score that counts.
    assert_close(maps, map_by_hand(given, (6, 7))[0][..., None], 1e-4, 1e-4)
    for gradient in tape.gradient(maps, z):
        assert np.isfinite(np.float32(gradient)).all()


@pytest.mark.parametrize("share, sigma", [(0.1, 0.6), (0.5, 3.0)])
def test_blur_is_gaussian_and_keeps_what_is_even(rng, share, sigma):
    images = rng.normal(size=(2, 6, 9, 3))
    expected = np.empty_like(images)
    for y, x in np.ndindex(6, 9):
        squares = (np.arange(6)[:, None] - y) ** 2 + (np.arange(9) - x) ** 2
        weights = np.exp(-squares / 2 / sigma**2)
        weights = weights / weights.sum()
        expected[:, y, x] = np.einsum("yx,nyxc->nc", weights, images)
    assert_close(gaussian_blur(images, share), expected, 1e-12, 1e-12)
    even = np.full_like(images, 3.0)
    assert_close(gaussian_blur(even, share), even, 1e-12, 0)
