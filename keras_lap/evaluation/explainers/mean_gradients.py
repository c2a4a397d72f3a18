"""For methods that ask for many gradients of an image."""

import numpy as np


def mean_gradients(gradients_of, variants, targets):
    """Gradients averaged over variants of each image.

    Args:
        gradients_of: Function of images `(M, ...)` and classes `(M,)` that returns an
            array of the shape of the images.
        variants: Float array `(N, V, ...)`, `V` variants of `N` images.
        targets: Int array `(N,)`, the classes of the images.

    Returns:
        Array `(N, ...)`.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers.mean_gradients import mean_gradients
    >>> variants = np.arange(4.0).reshape(2, 2, 1)
    >>> mean_gradients(lambda x, classes: x * classes[:, None], variants, [1, 2])
    array([[0.5],
           [5. ]])
    """
    count = variants.shape[1]
    gradients = gradients_of(
        variants.reshape(-1, *variants.shape[2:]), np.repeat(targets, count)
    )
    return gradients.reshape(variants.shape).mean(axis=1)
