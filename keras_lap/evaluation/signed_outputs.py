"""Two classes, where a classifier has one column for both."""

import keras
import numpy as np

from keras_lap.evaluation.raw_outputs import raw_outputs


def signed_outputs(model: keras.Model, images, batch_size: int = 32) -> np.ndarray:
    """Outputs of a classifier of which only the differences count.

    Args:
        model: A `keras.Model` with one output, of shape `(N, classes)`. A single column
            speaks for class 1 of two.
        images: Array of images, as the model takes them.
        batch_size: Number of images per forward pass.

    Returns:
        Float32 or float64 array `(N, classes)`. A single column `p` becomes `[-p, p]`,
        whether it holds probabilities or logits.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.signed_outputs import signed_outputs
    >>> model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten()])
    >>> signed_outputs(model, np.array([0.25, 1.0]).reshape(2, 1, 1, 1))
    array([[-0.25,  0.25],
           [-1.  ,  1.  ]], dtype=float32)
    """
    columns = raw_outputs(model, images, batch_size)
    if columns.shape[-1] == 1:
        return np.concatenate([-columns, columns], axis=-1)
    return columns
