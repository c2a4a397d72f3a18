"""Whether what a model predicts are logits, as its graph tells."""

import keras

from keras_lap.classifier.chosen_output import chosen_output
from keras_lap.graph.functional_of import functional_of
from keras_lap.graph.squashing import has_squashing_activation, is_squashing


def gives_logits(model, output=None):
    """Whether what a model predicts are logits.

    Args:
        model: A `keras.Model`.
        output: Name or index of one of its outputs, by default the first.

    Returns:
        `False` where the output comes from a softmax or sigmoid, `True` where it comes
        from a layer that has weights and the activation `"linear"`, and `None` where
        the graph does not tell, or there is none, as in a subclassed model.

    Raises:
        ValueError: If the graph has no such output.

    Example:

    >>> import keras
    >>> from keras_lap.classifier.gives_logits import gives_logits
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
    if getattr(operation, "activation", None) is not keras.activations.linear:
        return None
    if isinstance(operation, keras.layers.Activation):
        # As such a layer turns logits of half precision into float32.
        return _gives_logits(operation._inbound_nodes[node].input_tensors[0])
    return True if operation.weights else None
