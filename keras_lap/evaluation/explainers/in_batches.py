"""Maps of many images, some at a time."""

import numpy as np


def in_batches(maps_of, size, images, targets):
    """The maps of all images, of which a function gets so many in one call.

    Args:
        maps_of: Function of images and targets that returns their maps.
        size: Number of images per call.
        images: Array `(N, ...)`, not empty.
        targets: Array `(N,)`.

    Returns:
        Array `(N, H, W)`.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers.in_batches import in_batches
    >>> in_batches(lambda x, y: x * len(x), 2, np.ones((3, 1, 1)), np.zeros(3)).ravel()
    array([2., 2., 1.])
    """
    batches = (slice(at, at + size) for at in range(0, len(images), size))
    return np.concatenate([maps_of(images[some], targets[some]) for some in batches])
