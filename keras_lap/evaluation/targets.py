"""The classes that maps are for."""

import numpy as np


def standardize_targets(targets, count):
    """Targets as one class per image.

    Args:
        targets: Int array `(count,)`, or one int for all images.
        count: Number of images.

    Returns:
        Int array `(count,)`.

    Raises:
        ValueError: If they are something else.

    Example:
    >>> from keras_lap.evaluation.targets import standardize_targets
    >>> standardize_targets(3, count=2)
    array([3, 3])
    """
    targets = np.asarray(targets)
    if targets.dtype.kind not in "iu" or targets.shape not in ((), (count,)):
        raise ValueError(
            "Expected the targets to be one int, or an int array with one class per "
            f"image, shape ({count},). Received: targets of dtype {targets.dtype} and "
            f"shape {targets.shape}. Turn one-hot labels or probabilities into indices "
            "with `argmax(axis=-1)`."
        )
    return np.broadcast_to(targets, count)


def check_classes(targets, classes):
    """Raises a `ValueError` if a target is negative, or not below `classes`."""
    outside = (targets < 0) | (targets >= classes)
    if outside.any():
        raise ValueError(
            f"Expected targets from 0 to {classes - 1}, the classes of the model. "
            f"Received: {np.unique(targets[outside]).tolist()}"
        )
