"""Derivatives of the TensorFlow ops: the first fused, the second by the reference."""

import tensorflow as tf

from keras_lap.ops.reference import la_pool_reference

ATTRIBUTES = (
    "pool_size",
    "strides",
    "padding",
    "explicit_paddings",
    "weighting",
    "gating",
    "base",
)


def register_gradients(library):
    """Registers the derivatives of both ops with TensorFlow.

    Args:
        library: Module of the loaded ops.
    """

    @tf.RegisterGradient("KerasLap>LaPool")
    def first(op, upstream):
        return library.keras_lap_la_pool_grad(
            *op.inputs, dy=upstream, **_attributes(op)
        )

    @tf.RegisterGradient("KerasLap>LaPoolGrad")
    def second(op, *upstreams):
        *inputs, dy = op.inputs
        arguments = _reference_arguments(**_attributes(op))
        with tf.GradientTape() as outer:
            outer.watch([*inputs, dy])
            with tf.GradientTape() as inner:
                inner.watch(inputs)
                # XLA's second derivative of max pooling rounds to bfloat16.
                y = la_pool_reference(
                    *inputs[:3], *arguments, inputs[3], max_by_taps=True
                )
            gradients = inner.gradient(y, inputs, dy, unconnected_gradients="zero")
        return outer.gradient(
            gradients, [*inputs, dy], upstreams, unconnected_gradients="zero"
        )


def _attributes(op):
    values = {name: op.get_attr(name) for name in ATTRIBUTES}
    return {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in values.items()
    }


def _reference_arguments(
    pool_size, strides, padding, explicit_paddings, weighting, gating, base
):
    if padding == "explicit":
        top, bottom, left, right = explicit_paddings
        padding = ((top, bottom), (left, right))
    return (
        tuple(pool_size) or None,
        tuple(strides) or None,
        padding,
        weighting,
        None if gating == "none" else gating,
        None if base == "none" else base,
    )
