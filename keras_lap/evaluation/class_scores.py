"""One column per class, whatever a classifier ends in."""

import keras
import numpy as np

from keras_lap.classifier.class_outputs import class_outputs
from keras_lap.classifier.squashing import gives_logits
from keras_lap.evaluation.raw_outputs import raw_outputs


def class_scores(model: keras.Model, images, batch_size: int = 32) -> np.ndarray:
    """What a classifier makes of images, in inference mode, one column per class.

    Args:
        model: A `keras.Model` whose first output is of shape `(N, classes)`. A single
            column speaks for class 1 of two.
        images: Array of images, as the model takes them.
        batch_size: Number of images per forward pass.

    Returns:
        Float32 or float64 array `(N, classes)`: probabilities, or logits if the model
        gives logits.

    Raises:
        ValueError: If the output has another rank.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation.class_scores import class_scores
    >>> model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten()])
    >>> class_scores(model, np.array([0.25, 1.0]).reshape(2, 1, 1, 1))
    array([[0.75, 0.25],
           [0.  , 1.  ]], dtype=float32)
    """
    outputs = raw_outputs(model, images, batch_size)
    return class_outputs(outputs, gives_logits(model))
