"""Images and masks of one size."""

import keras
import numpy as np
import tensorflow as tf

from keras_lap.datasets.augmented import augmented


def stretched(image_size, layers):
    """What stretches images and masks to one size, and then augments them.

    Args:
        image_size: Height and width, or `None` to leave them as they are.
        layers: Preprocessing layers, as for `augmented`.

    Returns:
        Function `(image, targets) -> (image, targets)`. Images of a float dtype come
        out in float32, whatever the dtype policy of the layers is.

    Raises:
        TypeError: If something is no layer.
        ValueError: If `image_size` is no pair, or for a layer that `augmented` refuses.
    """
    if image_size is None:
        return _in_float32(augmented(layers))
    if np.shape(image_size) != (2,):
        raise ValueError(
            "Expected `image_size` to be (height, width), or None. "
            f"Received: image_size={image_size!r}"
        )
    resize = keras.layers.Resizing(
        *image_size, antialias=True, data_format="channels_last", dtype="float32"
    )
    return _in_float32(augmented([resize, layers]))


def _in_float32(augment):
    def augment_in_float32(image, targets):
        image, targets = augment(image, targets)
        is_float = tf.as_dtype(image.dtype).is_floating
        return tf.cast(image, "float32") if is_float else image, targets

    return augment_in_float32
