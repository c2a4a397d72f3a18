"""Whether a model ends in a softmax or sigmoid, as its graph tells."""

import keras
from keras import layers

from keras_lap.classifier.chosen_output import chosen_output
from keras_lap.graph.functional_of import functional_of

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
    activation = _last_activation(operation)
    name = getattr(activation, "__name__", None)
    return name in _FUNCTIONS or is_squashing(activation)


def passes_on(operation):
    """Whether it is `Activation("linear")`, as turns half precision into float32."""
    is_linear = _last_activation(operation) is keras.activations.linear
    return is_linear and isinstance(operation, layers.Activation)


def gives_logits(model, output=None):
    """Whether what a model predicts are logits.

    Args:
        model: A `keras.Model`.
        output: Name or index of one of its outputs, by default the first.

    Returns:
        `False` where the output comes from a softmax or sigmoid, `True` where it comes
        from a dense layer or convolution with the activation `"linear"`, and `None`
        where the graph does not tell, or there is none, as in a subclassed model.

    Raises:
        ValueError: If the graph has no such output.

    Example:

    >>> import keras
    >>> from keras_lap.classifier.squashing import gives_logits
    >>> network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> gives_logits(network)
    True
    >>> network.add(keras.layers.Activation("sigmoid"))
    >>> gives_logits(network)
    False
    """
    functional = functional_of(model)
    if functional is None:
        return None
    return _gives_logits(chosen_output(model, functional.output, output))


def _gives_logits(tensor):
    operation, node, index = tensor._keras_history
    nested = functional_of(operation)
    if nested is not None:
        return _gives_logits(nested.outputs[index])
    if is_squashing(operation) or has_squashing_activation(operation):
        return False
    if passes_on(operation):
        return _gives_logits(operation._inbound_nodes[node].input_tensors[0])
    return True if _last_activation(operation) is keras.activations.linear else None


def _last_activation(operation):
    """The function that a layer ends in, or `None` where that is not known."""
    is_known = getattr(type(operation), "call", None) in _CALLS
    return operation.activation if is_known else None
