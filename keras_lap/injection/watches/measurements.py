"""Looks for labels that are read as classes and may be measurements."""

from keras import ops, tree


def measurements(forward):
    """Labels of a single output that are not read as "present" and may be no classes.

    Those are all below 0.5 but 0, which says "absent", and -1, "not known". There are
    none where the model is compiled with a loss that says that its outputs are classes.

    Args:
        forward: A `ForwardPass`, of a `Watch`.
    """
    knowledge, outputs = forward.knowledge, tree.flatten(forward.predictions)
    is_single = len(outputs) == 1 and tuple(outputs[0].shape)[1:] in ((), (1,))
    if not is_single or knowledge.outputs or knowledge.one_label is None:
        return None
    label = ops.cast(knowledge.one_label, "float32")
    return (label < 0.5) & (label != 0) & (label != -1), _message


def _message(count):
    return (
        "Expected labels of 0 and 1 for a model with a single output, whose concepts "
        f"a 1 makes present. Received {count} others below 0.5, which say that nothing "
        "is there, or, below 0, that it is not known. If they are measurements, let "
        "knowledge name its concepts itself, as masks (N, H, W, K) for layers of K "
        "concepts, boxes with 'box_concepts', and 'concepts' do."
    )
