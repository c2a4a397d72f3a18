"""Which operations are a softmax or sigmoid."""

import keras

# Those of Keras, of `keras.ops` and of `tf.nn`.
_FUNCTIONS = ("softmax", "softmax_v2", "sigmoid")


def is_squashing(operation):
    """Whether an operation is a softmax or sigmoid, a layer or one of `keras.ops`."""
    # The name is what the layers and the operations have in common.
    return type(operation).__name__ in ("Softmax", "Sigmoid")


def has_squashing_activation(operation):
    """Whether a layer has a softmax or sigmoid, of any kind, for its `activation`.

    A recurrent layer does not count: its outputs are squashed at every step.
    """
    if isinstance(operation, keras.layers.RNN):
        return False
    activation = getattr(operation, "activation", None)
    name = getattr(activation, "__name__", None)
    return name in _FUNCTIONS or is_squashing(activation)
