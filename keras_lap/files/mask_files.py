"""Files of masks: whether they fit their images, and which pixels are inside."""

import os

import numpy as np

from keras_lap.files.each_image import each_image, size_of
from keras_lap.files.image_pixels import is_deep, open_image
from keras_lap.utils.nearest_pixels import nearest_pixels
from keras_lap.utils.same_aspect import same_aspect

# Pillow's names of formats that may change pixels: black ones near edges are no longer.
_LOSSY = ("AVIF", "JPEG", "JPEG2000", "MPO", "WEBP")
# The same for what is in a TIFF.
_LOSSY_TIFF = ("jpeg", "webp", "jpeg2000")
# What such changes do not reach.
_SURELY_INSIDE = 64


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
            inside; in formats that may not keep black, such as JPEG, and WebP or JPEG
            2000 with or without loss, what is darker than half of the brightest.
        size: Height and width of the result.

    Returns:
        Boolean array of shape `size`.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If it cannot be read, or if it may not have kept black and is dark
            all over.
    """
    with open_image(file) as mask:
        if is_deep(mask):
            inside = np.asarray(mask) != 0
        else:
            *colours, opacity = np.moveaxis(np.asarray(mask.convert("RGBA")), -1, 0)
            heights = np.where(opacity > 0, np.max(colours, axis=0), 0)
            least = _least_inside(file, heights) if _may_be_lossy(mask) else 1
            inside = heights >= least
    return nearest_pixels(inside, size)


def _may_be_lossy(mask):
    return mask.format in _LOSSY or mask.info.get("compression") in _LOSSY_TIFF


def _least_inside(file, heights):
    """The least value that is inside of a mask in a format that may not keep black."""
    highest = int(heights.max())
    if 0 < highest < _SURELY_INSIDE:
        raise ValueError(
            f"Expected what is inside of the mask {os.fspath(file)!r} to be bright, as "
            "its format may not keep black. Received: a highest value of "
            f"{highest} of 255. Save masks of small numbers as PNG."
        )
    return max(highest / 2, 1)
