"""Looks for labels that a binary cross-entropy cannot take."""

from keras import ops


def labels_above_one(forward):
    """Labels above 1 of a model that is compiled with a binary cross-entropy.

    Args:
        forward: A `ForwardPass`, of a `Watch`.
    """
    knowledge = forward.knowledge
    if knowledge.outputs != "sigmoid" or knowledge.one_label is None:
        return None
    return ops.cast(knowledge.one_label, "float32") > 1, _message


def _message(count):
    return (
        "Expected labels from 0 to 1 for a binary cross-entropy. Received "
        f"{count} above 1, by which it falls without end. For several classes that "
        "exclude each other, take a softmax of as many outputs and a categorical "
        "cross-entropy; for 0 and 255, divide by 255."
    )
