"""Which of a model's answers are right."""

import numpy as np

from keras_lap.classifier.labels import single_labels


def right_answers(outputs, labels):
    """Flags of the right ones among the answers to images with one known label.

    Args:
        outputs: Float array `(N, classes)`. What is NaN is wrong.
        labels: As `standardize_labels` returns them, or `None`.

    Returns:
        Bool array of as many as there are such images; `None` where there are none.

    Example:

    >>> import numpy as np
    >>> from keras_lap.classifier.right_answers import right_answers
    >>> outputs = np.array([[0.2, 0.8], [0.6, 0.4], [0.9, 0.1]])
    >>> right_answers(outputs, np.array([1, 1, -1]))
    array([ True, False])
    """
    labels = single_labels(labels)
    if labels is None or labels.ndim > 1 or not (labels >= 0).any():
        return None
    is_right = ~np.isnan(outputs).any(axis=-1) & (outputs.argmax(axis=-1) == labels)
    return is_right[labels >= 0]
