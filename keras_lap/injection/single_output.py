"""Models with one output, the classes."""


def single_output(predictions):
    """Returns the predictions of a model.

    Raises:
        ValueError: If the model has several outputs.
    """
    if not hasattr(predictions, "shape"):
        raise ValueError(
            "Expected a model with one output, the classes. Received outputs of type "
            f"{type(predictions).__name__}."
        )
    return predictions
