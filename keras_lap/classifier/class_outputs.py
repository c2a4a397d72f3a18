"""Outputs of a classifier, brought into one column per class."""

import numpy as np

# How far above 1 or below 0 the rounding of probabilities in low precision may lead.
_ROUNDING = 1e-4


def class_outputs(predictions, from_logits=None):
    """One column per class, also of a model that has one output for two classes.

    Args:
        predictions: Float array `(N, columns)`, probabilities or logits. A single
            column speaks for class 1: a probability `p` becomes `[1 - p, p]`, a logit
            `z` becomes `[0, z]`.
        from_logits: Whether a single column holds logits. By default it does if some
            lie outside of `[0, 1]`.

    Returns:
        Float array `(N, classes)`. The highest one of a row is the predicted class.

    Example:

    >>> import numpy as np
    >>> from keras_lap.classifier.class_outputs import class_outputs
    >>> class_outputs(np.array([[0.25], [1.0]]))
    array([[0.75, 0.25],
           [0.  , 1.  ]])
    """
    if predictions.shape[-1] != 1:
        return predictions
    if from_logits is None:
        from_logits = holds_logits(predictions)
    other = np.zeros_like(predictions) if from_logits else 1 - predictions
    return np.concatenate([other, predictions], axis=-1)


def check_class_names(names, classes):
    """Raises a `ValueError` if names are not one per class; either may be `None`."""
    if names is not None and classes is not None and len(names) != classes:
        raise ValueError(
            f"Expected {classes} `class_names`, one per class. Received: {len(names)}"
        )


def holds_logits(predictions):
    """Whether some of the values of an array are no probabilities, but for rounding."""
    return bool(((predictions < -_ROUNDING) | (predictions > 1 + _ROUNDING)).any())
