"""Gradients on whichever backend Keras runs, by that backend's own means."""

import keras
import numpy as np
from keras import ops

from keras_lap.layers import score_tape

BACKEND = keras.config.backend()
if BACKEND == "tensorflow":
    import tensorflow as tf
elif BACKEND == "jax":
    import jax
elif BACKEND == "torch":
    import torch


def gradients(function, tensors, upstream=1.0):
    """Gradients of `sum(upstream * function(tensors))`, themselves differentiable.

    Args:
        function: Takes a dict of tensors, returns a tensor.
        tensors: Dict of tensors, arrays or numbers.
        upstream: Array or number that broadcasts to the function's result.

    Returns:
        Dict with one tensor per entry of `tensors`, zero where nothing depends on it.
    """
    tensors = {name: _tensor(value) for name, value in tensors.items()}

    def total(tensors):
        y = function(tensors)
        return ops.sum(ops.cast(upstream, y.dtype) * y)

    if BACKEND == "tensorflow":
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            loss = total(tensors)
        return tape.gradient(loss, tensors, unconnected_gradients="zero")
    if BACKEND == "jax":
        return jax.grad(total)(tensors)
    with torch.enable_grad():
        tensors = {
            name: tensor if tensor.requires_grad else tensor.detach().requires_grad_()
            for name, tensor in tensors.items()
        }
        found = torch.autograd.grad(
            total(tensors),
            list(tensors.values()),
            create_graph=True,
            materialize_grads=True,
        )
    return dict(zip(tensors, found, strict=True))


def jitted(function):
    """A function compiled by XLA; on torch as it is."""
    if BACKEND == "tensorflow":
        return tf.function(function, jit_compile=True)
    return jax.jit(function) if BACKEND == "jax" else function


def _tensor(value):
    """Keeps the precision of NumPy's scalars, which count as Python numbers else."""
    return ops.convert_to_tensor(
        np.asarray(value) if isinstance(value, np.generic) else value
    )


def layer_gradients(layer, x, loss, training=None):
    """Gradients of `loss(y, *records)` by a layer's input and its trainable weights.

    Args:
        layer: A built LAP layer, or a model with such layers.
        x: Its input.
        loss: Scalar function of the output and the `ScoreRecord` of each LAP layer.
        training: Whether the layer is called to be trained.

    Returns:
        A tuple `(of_x, of_weights)`: an array, and a list with an array per trainable
        weight. Where the loss does not depend on one at all, it is zero.
    """

    def total(call, x):
        with score_tape() as records:
            y = call(x)
        return loss(y, *records)

    of_x, *of_weights = {
        "tensorflow": _by_gradient_tape,
        "jax": _by_stateless_call,
        "torch": _by_backward,
    }[BACKEND](layer, ops.convert_to_tensor(x), total, training)
    return of_x, of_weights


def _by_gradient_tape(layer, x, total, training):
    values = [weight.value for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = total(lambda x: layer(x, training=training), x)
    found = tape.gradient(result, [x, *values], unconnected_gradients="zero")
    return [ops.convert_to_numpy(gradient) for gradient in found]


def _by_stateless_call(layer, x, total, training):
    fixed = [weight.value for weight in layer.non_trainable_variables]

    def stateless(x, trainable):
        def call(x):
            return layer.stateless_call(trainable, fixed, x, training=training)[0]

        return total(call, x)

    trainable = [weight.value for weight in layer.trainable_variables]
    of_x, of_weights = jax.grad(stateless, argnums=(0, 1))(x, trainable)
    return [ops.convert_to_numpy(gradient) for gradient in (of_x, *of_weights)]


def _by_backward(layer, x, total, training):
    leaves = [x.clone().requires_grad_()]
    leaves += [weight.value for weight in layer.trainable_weights]
    layer.zero_grad()
    total(lambda x: layer(x, training=training), leaves[0]).backward()
    return [
        ops.convert_to_numpy(ops.zeros_like(leaf) if leaf.grad is None else leaf.grad)
        for leaf in leaves
    ]
