"""Files of masks: whether they fit their images, and which pixels are inside."""

import os

import numpy as np

from keras_lap.files.each_image import each_image, size_of
from keras_lap.files.image_pixels import is_deep, open_image
from keras_lap.nearest_pixels import nearest_pixels
from keras_lap.same_aspect import same_aspect


def check_mask_files(masks, images, sizes):
    """Raises an error if masks do not fit their images, as their headers tell.

    Args:
        masks: List of paths, or of `None` where an image has no mask.
        images: List of the paths of the images.
        sizes: Their heights and widths.

    Raises:
        FileNotFoundError: If masks are missing.
        ValueError: If some cannot be read, or have another aspect ratio than their
            images.
    """
    given = [
        (mask, image, tuple(map(int, size)))
        for mask, image, size in zip(masks, images, sizes, strict=True)
        if mask is not None
    ]
    mask_sizes = each_image([mask for mask, _, _ in given], size_of)
    unlike = [
        f"{os.fspath(mask)!r} of {mask_size} for {os.fspath(image)!r} of {size}"
        for (mask, image, size), mask_size in zip(given, mask_sizes, strict=True)
        if not same_aspect(mask_size, size)
    ]
    if unlike:
        raise ValueError(
            "Expected masks with the aspect ratio of their images, at any resolution. "
            f"Received: {unlike[0]} (height, width), the first of {len(unlike)} that "
            "have another"
        )


def mask_flags(file, size):
    """Reads a mask.

    Args:
        file: Path of it. What is black or fully transparent is outside, everything else
            inside; in a JPEG, which does not keep black, what is darker than half.
        size: Height and width of the result.

    Returns:
        Boolean array of shape `size`.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If it cannot be read.
    """
    with open_image(file) as mask:
        if is_deep(mask):
            inside = np.asarray(mask) != 0
        else:
            *colours, opacity = np.moveaxis(np.asarray(mask.convert("RGBA")), -1, 0)
            least = 128 if mask.format == "JPEG" else 1
            inside = (np.max(colours, axis=0) >= least) & (opacity > 0)
    return nearest_pixels(inside, size)
