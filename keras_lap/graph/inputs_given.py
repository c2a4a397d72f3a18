"""What a call gives to each input of a model."""

from keras import tree


def inputs_given(functional, given):
    """What a model is called with, in the order of its inputs, as Keras hands it on.

    A dict is read by the names of the inputs, except for a model that was made from
    one. That takes the values in the order of their keys, as many as it has inputs.

    Args:
        functional: A Functional model.
        given: Its first argument: a tensor, or a structure of them.

    Returns:
        A list, one for each input.
    """
    names = [tensor.name for tensor in functional.inputs]
    if isinstance(given, dict) and not isinstance(functional.input, dict):
        given = [given[name] for name in names]
    return tree.flatten(given)[: len(names)]
