"""What `la_pool` costs here, next to max pooling."""

import dataclasses
import statistics

import keras
import numpy as np
from keras import ops

from keras_lap.cli.pooling_shapes import POOLING_SHAPES
from keras_lap.ops import la_pool
from keras_lap.utils.compiled import compiled
from keras_lap.utils.paired_rounds import ratio_quartiles, time_in_rounds


@dataclasses.dataclass(frozen=True)
class Timing:
    """Times of one pooling.

    Attributes:
        shape: The `PoolingShape`.
        gradient: Whether the gradients were computed too.
        max_pooling: Median time of max pooling, in seconds.
        la_pool: Median time of `la_pool`, in seconds.
        ratio: Quartiles of the ratio of `la_pool` to max pooling, round by round.
    """

    shape: object
    gradient: bool
    max_pooling: float
    la_pool: float
    ratio: tuple[float, float, float]


def time_pooling(shapes=POOLING_SHAPES, batch_size=8, rounds=15):
    """Times `la_pool` and `keras.ops.max_pool` in turn, on the device that Keras takes.

    Both are compiled as the backend does it in `fit` (`tf.function`, `jax.jit`; torch
    runs as it is). Each is called once before the first round. Features are float32.

    Args:
        shapes: List of `PoolingShape`.
        batch_size: Number of images.
        rounds: Number of rounds; in each one both are timed, so that what slows the
            machine down slows both.

    Yields:
        A `Timing` for the forward pass of each shape, and one with the gradients with
        respect to features and scores.

    Example:

    >>> from keras_lap.cli.time_pooling import time_pooling
    >>> from keras_lap.cli.pooling_shapes import PoolingShape
    >>> shapes = [PoolingShape("small", (8, 8, 4), 2, 2)]
    >>> timings = list(time_pooling(shapes, rounds=3))
    >>> [(timing.shape.name, timing.gradient) for timing in timings]
    [('small', False), ('small', True)]
    """
    rng = np.random.default_rng(0)
    for shape in shapes:
        height, width, channels = shape.size
        sizes = [(batch_size, height, width, count) for count in (channels, 1)]
        x, scores = (ops.convert_to_tensor(rng.random(s, "float32")) for s in sizes)
        for gradient in (False, True):
            runs = {
                name: _run(pool, shape, gradient, x, scores)
                for name, pool in (("max", _max_pool), ("lap", _lap))
            }
            for run in runs.values():
                run()
            seconds = time_in_rounds(runs, rounds)
            yield Timing(
                shape,
                gradient,
                statistics.median(seconds["max"].values()),
                statistics.median(seconds["lap"].values()),
                tuple(ratio_quartiles(seconds["lap"], seconds["max"])),
            )


def _lap(shape, x, scores):
    window = shape.window, shape.stride, shape.padding
    return la_pool(x, scores, 2.0, *window, data_format="channels_last")


def _max_pool(shape, x, scores):
    window = shape.window, shape.stride, shape.padding
    return ops.max_pool(x, *window, data_format="channels_last")


def _run(pool, shape, gradient, x, scores):
    """A function without arguments that pools, and waits until that is done."""

    def forward(x, scores):
        return pool(shape, x, scores)

    outputs_of = _PASSES[keras.config.backend()](forward) if gradient else forward

    def compute(x, scores):
        outputs = keras.tree.flatten(outputs_of(x, scores))
        # Max pooling has no gradient with respect to scores.
        return [*filter(ops.is_tensor, outputs), outputs[0][0, 0, 0, 0]]

    compute = compiled(compute, [])
    # The single number is back when all is computed.
    return lambda: ops.convert_to_numpy(compute(x, scores)[-1])


def _tensorflow_pass(forward):
    import tensorflow as tf

    def gradients(x, scores):
        with tf.GradientTape() as tape:
            tape.watch([x, scores])
            y = forward(x, scores)
        return tape.gradient(y, [x, scores], y)

    return gradients


def _jax_pass(forward):
    import jax

    def gradients(x, scores):
        y, back = jax.vjp(forward, x, scores)
        return back(y)

    return gradients


def _torch_pass(forward):
    import torch

    def gradients(x, scores):
        x, scores = (tensor.detach().requires_grad_() for tensor in (x, scores))
        y = forward(x, scores)
        return torch.autograd.grad(y, [x, scores], y.detach(), allow_unused=True)

    return gradients


# Functions that compute the gradients with respect to features and scores.
_PASSES = {
    "tensorflow": _tensorflow_pass,
    "jax": _jax_pass,
    "torch": _torch_pass,
}
