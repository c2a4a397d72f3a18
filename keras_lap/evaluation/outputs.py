"""Outputs of a classifier in inference mode, as arrays.

Example:

>>> import keras
>>> import numpy as np
>>> from keras_lap.evaluation.outputs import class_scores, raw_outputs, signed_outputs
>>> model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten()])
>>> images = np.array([0.25, 1.0]).reshape(2, 1, 1, 1)
>>> raw_outputs(model, images)
array([[0.25],
       [1.  ]], dtype=float32)
>>> class_scores(model, images)
array([[0.75, 0.25],
       [0.  , 1.  ]], dtype=float32)
>>> signed_outputs(model, images)
array([[-0.25,  0.25],
       [-1.  ,  1.  ]], dtype=float32)
"""

import keras
import numpy as np

from keras_lap.classifier.chosen_output import chosen_output
from keras_lap.classifier.class_outputs import class_outputs
from keras_lap.classifier.gives_logits import gives_logits


def predict_batch(model, images):
    """What a model's `predict_on_batch` returns, one row for each image.

    Of a model that was made for several replicas Keras returns the rows of all of them,
    and gives each of them all images.

    Args:
        model: A `keras.Model`.
        images: Array of images, as the model takes them.

    Returns:
        Arrays in the structure of the model's outputs.
    """
    outputs = model.predict_on_batch(images)
    return keras.tree.map_structure(lambda rows: rows[: len(images)], outputs)


def raw_outputs(model, images, batch_size=32):
    """Outputs as they are.

    Args:
        model: A `keras.Model` whose first output is of shape `(N, columns)`.
        images: Array of at least one image, as the model takes them.
        batch_size: Number of images per forward pass.

    Returns:
        Float32 or float64 array `(N, columns)`.

    Raises:
        ValueError: If the output has another rank.
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


def class_scores(model, images, batch_size=32):
    """Probabilities of the classes, or their logits if the model gives logits.

    Arguments and errors are those of `raw_outputs`.

    Returns:
        Float32 or float64 array `(N, classes)`. Of a single column, which speaks for
        class 1 of two, a probability `p` becomes `[1 - p, p]`, a logit `z` `[0, z]`.
    """
    outputs = raw_outputs(model, images, batch_size)
    return class_outputs(outputs, gives_logits(model))


def signed_outputs(model, images, batch_size=32):
    """Outputs of which only the differences count.

    Arguments and errors are those of `raw_outputs`.

    Returns:
        Float32 or float64 array `(N, classes)`. Of a single column, which speaks for
        class 1 of two, `p` becomes `[-p, p]`, whether it is a probability or a logit.
    """
    columns = raw_outputs(model, images, batch_size)
    if columns.shape[-1] == 1:
        return np.concatenate([-columns, columns], axis=-1)
    return columns
