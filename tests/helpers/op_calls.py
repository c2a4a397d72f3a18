"""Calls of the TensorFlow ops on a `Case` of rank 2, channels last, in each mode."""

import numpy as np
import tensorflow as tf

from keras_lap.kernels import library
from keras_lap.utils.float_dtypes import compute_dtype


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


def eager(function, inputs):
    return function(*inputs)


def graph(function, inputs):
    """In a graph that knows the shapes."""
    return tf.function(function)(*inputs)


def xla(function, inputs):
    reason = library.find().xla_reason
    assert reason is None, reason
    return tf.function(function, jit_compile=True)(*inputs)
