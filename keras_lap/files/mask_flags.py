"""Which pixels a mask file says to be inside."""

import os

import numpy as np

from keras_lap.files.image_pixels import is_deep, open_image
from keras_lap.nearest_pixels import nearest_pixels
from keras_lap.same_aspect import same_aspect


def mask_flags(file, image_file, image_size, size):
    """Reads a mask.

    Args:
        file: Path of it. What is black is outside, everything else inside.
        image_file: Path of its image, for messages.
        image_size: Height and width of that file.
        size: Height and width of the result.

    Returns:
        Boolean array of shape `size`.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If it cannot be read, or has another aspect ratio than its image.
    """
    with open_image(file) as mask:
        if is_deep(mask):
            inside = np.asarray(mask) != 0
        else:
            inside = np.asarray(mask.convert("RGB")).any(axis=-1)
    if not same_aspect(inside.shape, image_size):
        raise ValueError(
            "Expected masks with the aspect ratio of their images, at any resolution. "
            f"Received: {os.fspath(file)!r} of {inside.shape} for "
            f"{os.fspath(image_file)!r} of {tuple(image_size)} (height, width)"
        )
    return nearest_pixels(inside, size)
