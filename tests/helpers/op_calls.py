"""Calls of the TensorFlow ops on a `Case` of rank 2, channels last."""

import numpy as np
import oracle
import tensorflow as tf
from cases import gradient_tolerances
from tolerances import assert_close, tolerance

from keras_lap.ops.arguments import compute_dtype


def inputs_of(case, upstream):
    """Tensors of the gradient op; the forward op takes the first four."""
    values, computed = case.values(), compute_dtype(case.dtype)
    return [
        tf.cast(values["x"], case.dtype),
        *(tf.cast(values[name], computed) for name in ("scores", "alpha")),
        tf.cast(values.get("base_gate", np.nan), computed),
        tf.cast(upstream, case.dtype),
    ]


def attributes_of(case):
    """Attributes of both ops."""
    arguments = dict(case.arguments)
    del arguments["data_format"]
    if arguments["pool_size"] is None:
        arguments["pool_size"] = ()
    arguments["strides"] = arguments.get("strides") or ()
    if not isinstance(arguments.get("padding", "valid"), str):
        pairs = arguments["padding"]
        arguments["explicit_paddings"] = [side for pair in pairs for side in pair]
        arguments["padding"] = "explicit"
    for name in ("gating", "base"):
        arguments[name] = arguments[name] or "none"
    return arguments


def both_passes(ops, attributes):
    """Function from the inputs and dy to the results of both ops."""

    def run(*inputs):
        y = ops.keras_lap_la_pool(*inputs[:4], **attributes)
        return (y, *ops.keras_lap_la_pool_grad(*inputs, **attributes))

    return run


def assert_equal_the_oracle(results, case, upstream):
    """Compares `y`, `dx`, `dscores`, `dalpha` and `dgate` with the exact values."""
    values, arguments = case.values(), dict(case.arguments)
    y, dx, dscores, dalpha, dgate = results
    window = len(next(iter(case.windows().values())))
    magnitude = np.abs(values["x"]).max() * max(1, np.abs(values["scores"]).max())
    expected = oracle.la_pool(**values, **arguments)
    assert y.dtype == dx.dtype == case.dtype
    assert_close(y, expected, **tolerance(case.dtype, window, magnitude))
    del arguments["data_format"]
    expected = oracle.la_pool_gradients(**values, **arguments, upstream=upstream)
    tolerances = gradient_tolerances(case, upstream).values()
    gradients = (dx, dscores, dalpha, dgate)
    for actual, value, allowed in zip(gradients, expected, tolerances, strict=False):
        assert_close(actual, value, **allowed)
    if case.arguments["base"] is None:
        assert dgate == 0
