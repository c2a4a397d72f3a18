"""Images and masks of one size."""

import keras
import numpy as np

from keras_lap.datasets.augmented import augmented


def stretched(image_size, layers):
    """What stretches images and masks to one size, and then augments them.

    Args:
        image_size: Height and width, or `None` to leave them as they are.
        layers: Preprocessing layers, as for `augmented`.

    Returns:
        Function `(image, targets) -> (image, targets)`.

    Raises:
        TypeError: If something is no layer.
        ValueError: If `image_size` is no pair, or for a layer that `augmented` refuses.
    """
    if image_size is None:
        return augmented(layers)
    if np.shape(image_size) != (2,):
        raise ValueError(
            "Expected `image_size` to be (height, width), or None. "
            f"Received: image_size={image_size!r}"
        )
    resize = keras.layers.Resizing(
        *image_size, antialias=True, data_format="channels_last", dtype="float32"
    )
    return augmented([resize, layers])
