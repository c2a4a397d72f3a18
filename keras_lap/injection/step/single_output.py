"""Models with one output, the classes."""

from keras_lap.injection.knowledge import NamesNoConcepts


def single_output(predictions):
    """Returns the predictions of a model.

    Raises:
        NamesNoConcepts: If the model has several outputs.
    """
    if not hasattr(predictions, "shape"):
        raise NamesNoConcepts(
            "Expected a model with one output, the classes, for a loss that asks which "
            "concepts the label names, or what the model predicts. Received outputs of "
            f"type {type(predictions).__name__}. With several, knowledge has to name "
            "its concepts itself, as masks (N, H, W, K) for layers of K concepts, "
            "boxes with 'box_concepts', and 'concepts' do."
        )
    return predictions
