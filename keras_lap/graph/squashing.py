"""Which operations are or end in a softmax or sigmoid."""

import keras
from keras import layers

# Those of Keras, of `keras.ops` and of `tf.nn`.
_FUNCTIONS = ("softmax", "softmax_v2", "sigmoid")
# Of the layers that end in their `activation`. Others may use theirs for anything.
_CALLS = {
    layer.call
    for layer in (
        layers.Activation,
        layers.Dense,
        layers.EinsumDense,
        layers.Conv1D,
        layers.Conv2D,
        layers.Conv3D,
        layers.Conv1DTranspose,
        layers.Conv2DTranspose,
        layers.Conv3DTranspose,
        layers.DepthwiseConv1D,
        layers.DepthwiseConv2D,
        layers.SeparableConv1D,
        layers.SeparableConv2D,
    )
}


def is_squashing(operation):
    """Whether an operation is a softmax or sigmoid, a layer or one of `keras.ops`."""
    # The name is what the layers and the operations have in common.
    return type(operation).__name__ in ("Softmax", "Sigmoid")


def has_squashing_activation(operation):
    """Whether a layer ends in a softmax or sigmoid, of any kind, as its `activation`.

    It does if it is called as one of Keras that applies its activation last.
    """
    activation = last_activation(operation)
    name = getattr(activation, "__name__", None)
    return name in _FUNCTIONS or is_squashing(activation)


def passes_on(operation):
    """Whether it is `Activation("linear")`, as turns half precision into float32."""
    is_linear = last_activation(operation) is keras.activations.linear
    return is_linear and isinstance(operation, layers.Activation)


def last_activation(operation):
    """The function that a layer ends in, or `None` where that is not known."""
    is_known = getattr(type(operation), "call", None) in _CALLS
    return operation.activation if is_known else None
