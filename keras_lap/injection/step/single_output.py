"""Models with one output, the classes."""

from keras import ops, tree

from keras_lap.injection.knowledge import NamesNoConcepts


def single_output(predictions):
    """Returns the predictions of a model, `(N, classes)`.

    They may be alone in a dict or a list, and those of one class `(N,)`.

    Raises:
        NamesNoConcepts: If the model has several outputs, or one of other axes, as for
            the classes of pixels.
    """
    outputs = tree.flatten(predictions)
    if len(outputs) != 1 or len(outputs[0].shape) > 2:
        raise NamesNoConcepts(
            "Expected a model with one output, the classes (N, classes), for a loss "
            "that asks which concepts the label names, or what the model predicts. "
            f"Received outputs of shapes {[tuple(each.shape) for each in outputs]}. "
            "With others, knowledge has to name its concepts itself, as masks "
            "(N, H, W, K) for layers of K concepts, boxes with 'box_concepts', and "
            "'concepts' do."
        )
    (output,) = outputs
    return ops.expand_dims(output, -1) if len(output.shape) == 1 else output
