"""Predictions of any number of images, in batches."""

import keras
import numpy as np

from keras_lap.classifier.chosen_output import chosen_output
from keras_lap.evaluation.predict_batch import predict_batch


def raw_outputs(model: keras.Model, images, batch_size: int = 32) -> np.ndarray:
    """Outputs of a classifier in inference mode, as they are.

    The forward pass is the compiled one of `predict_on_batch`.

    Args:
        model: A `keras.Model` whose first output is of shape `(N, columns)`.
        images: Array of at least one image, as the model takes them.
        batch_size: Number of images per forward pass.

    Returns:
        Float32 or float64 array `(N, columns)`.

    Raises:
        ValueError: If the output has another rank.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.raw_outputs import raw_outputs
    >>> model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten()])
    >>> raw_outputs(model, np.array([0.25, 1.0]).reshape(2, 1, 1, 1))
    array([[0.25],
           [1.  ]], dtype=float32)
    """
    batches = (
        images[start : start + batch_size]
        for start in range(0, len(images), batch_size)
    )
    columns = np.concatenate(
        [chosen_output(model, predict_batch(model, batch)) for batch in batches]
    )
    if columns.ndim != 2:
        raise ValueError(
            "Expected a classifier with an output of shape (N, classes). "
            f"Received: outputs of shape {columns.shape}"
        )
    return columns.astype(np.promote_types(columns.dtype, np.float32))
