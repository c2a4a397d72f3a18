"""Files of masks: whether they fit and make sense, and which pixels are inside."""

import contextlib
import os

import numpy as np

from keras_lap.files.each_image import each_image
from keras_lap.files.image_pixels import (
    deep_values,
    is_cut_to_8_bits,
    is_deep,
    is_turned,
    open_image,
    size_of,
)
from keras_lap.files.some_of import some_of
from keras_lap.utils.names import some_of_many
from keras_lap.utils.resized_masks import resized_masks
from keras_lap.utils.same_aspect import same_aspect
from keras_lap.utils.warn import warn

# Pillow's names of formats that may change pixels: black ones near edges are no longer.
_LOSSY = ("AVIF", "JPEG", "JPEG2000", "MPO", "WEBP")
# The same for what is in a TIFF.
_LOSSY_TIFF = ("jpeg", "tiff_jpeg", "webp")
# What such changes do not reach.
_SURELY_INSIDE = 64
# From this share of its pixels, a mask covers its image nearly.
_NEARLY_ALL = 0.95
# How many masks are looked into before they are called empty, as most may be.
_SURELY_EMPTY = 64
_NAMED = 20
_TURNED = (
    "Here they are read as their pixels are stored. If masks were drawn on what "
    "viewers show, save the images turned, as by `PIL.ImageOps.exif_transpose`."
)


def check_mask_files(masks, images, sizes):
    """Raises an error if masks do not fit their images, as their headers tell.

    Args:
        masks: List of paths, or of `None` where an image has no mask.
        images: List of the paths of the images.
        sizes: Their heights and widths.

    Raises:
        FileNotFoundError: If masks are missing.
        ValueError: If some cannot be read, such as those of 16 bits in each of several
            channels, or have another aspect ratio than their images.
    """
    given = [
        (mask, image, tuple(map(int, size)))
        for mask, image, size in zip(masks, images, sizes, strict=True)
        if mask is not None
    ]
    mask_sizes = each_image([mask for mask, _, _ in given], _size_of_mask)
    unlike = {
        image: f"{os.fspath(mask)!r} of {mask_size} for {os.fspath(image)!r} of {size}"
        for (mask, image, size), mask_size in zip(given, mask_sizes, strict=True)
        if not same_aspect(mask_size, size)
    }
    if unlike:
        turned = any(map(is_turned, some_of(list(unlike))))
        hint = f". Viewers turn such images by EXIF data. {_TURNED}" if turned else ""
        raise ValueError(
            "Expected masks with the aspect ratio of their images, at any resolution. "
            f"Received {len(unlike)} with another, as (height, width): "
            f"{some_of_many(unlike.values(), _NAMED)}{hint}"
        )


def mask_flags(file, size=None):
    """Reads a mask.

    Args:
        file: Path of it. What is black or fully transparent is outside, everything else
            inside; in formats that may not keep black, such as JPEG, and WebP or JPEG
            2000 with or without loss, what is darker than half of the brightest.
        size: Height and width of the result, as of `keras_lap.utils.resized_masks`; by
            default its own.

    Returns:
        Boolean array of shape `size`.

    Raises:
        ImportError: If Pillow is not installed.
        ValueError: If it cannot be read, has 16 bits in each of several channels, holds
            NaN or values below 0, or if it may not have kept black and is dark all
            over.
    """
    with open_image(file) as mask:
        _check_depth(mask)
        if is_deep(mask):
            values = deep_values(mask)
            _check_values(values)
            inside = values != 0
        else:
            *colours, opacity = np.moveaxis(np.asarray(mask.convert("RGBA")), -1, 0)
            heights = np.where(opacity > 0, np.max(colours, axis=0), 0)
            least = _least_inside(heights) if _may_be_lossy(mask) else 1
            inside = heights >= least
    return inside if size is None else resized_masks(inside, size)


def warn_of_even_masks(masks):
    """Warns if masks cover their whole images or nearly, as inverted ones may, or none.

    Args:
        masks: List of paths, or of `None` where an image has no mask. Some of them are
            looked into.
    """
    covered = _covered(masks)
    least = min(covered.values(), default=0)
    if not any(covered.values()):
        covered = _covered(masks, most=_SURELY_EMPTY)
        if covered and not any(covered.values()):
            warn(
                f"Masks cover nothing of their images: all of {len(covered)} looked "
                f"into, such as {next(iter(covered))!r}. What is black or fully "
                "transparent is outside. If something is outlined in them, save them "
                "opaque, with numbers above 0 inside. If nobody has outlined these "
                "images yet, delete their masks, which say that there is nothing to be "
                "seen.",
            )
    if least >= _NEARLY_ALL:
        warn(
            f"Masks cover at least {int(100 * least)}% of their images: all of "
            f"{len(covered)} looked into, such as {next(iter(covered))!r}. What is not "
            "black is inside. If they are inverted, or have a palette whose background "
            "is not black, save them with a background of 0; the numbers behind a "
            "palette are `numpy.asarray(PIL.Image.open(file))`.",
        )


def warn_of_masks_not_empty(masks):
    """Warns if masks are not empty, of classes that are said to have empty ones.

    Args:
        masks: As for `warn_of_even_masks`, of the images of these classes.
    """
    covered = _covered(masks)
    outlined = [file for file, share in covered.items() if share > 0]
    if outlined:
        warn(
            "Classes in `empty` have nothing to be outlined, but masks of theirs are "
            f"not empty: {len(outlined)} of {len(covered)} looked into, such as "
            f"{outlined[0]!r}. Such masks count as they are. Leave the class out of "
            "`empty`, or the masks out of its folder.",
        )


def warn_of_turned_images(images, masks):
    """Warns if images that have masks are turned by viewers, as by EXIF data of photos.

    Args:
        images: List of paths. Some of them are looked into.
        masks: As for `warn_of_even_masks`.
    """
    outlined = [
        image for image, mask in zip(images, masks, strict=True) if mask is not None
    ]
    some = some_of(outlined)
    turned = [image for image in some if is_turned(image)]
    if turned:
        warn(
            "Viewers turn images that have masks, by EXIF data in their files: "
            f"{len(turned)} of {len(some)} looked into, such as "
            f"{os.fspath(turned[0])!r}. {_TURNED}"
        )


def _covered(masks, **options):
    """Share of its pixels that is inside, of those of the masks that can be read.

    The options are those of `some_of`.
    """
    covered = {}
    for mask in some_of([mask for mask in masks if mask is not None], **options):
        # Others are told of when they are needed.
        with contextlib.suppress(ValueError):
            covered[os.fspath(mask)] = mask_flags(mask).mean()
    return covered


def _size_of_mask(mask):
    _check_depth(mask)
    return size_of(mask)


def _check_depth(mask):
    """Raises an `OSError` if small numbers in a mask would be read as black."""
    if is_cut_to_8_bits(mask):
        raise OSError(
            "its colours have 16 bits, of which only the upper 8 are read, so that "
            "small numbers would be lost; save masks with 8 bits, or with one channel"
        )


def _check_values(values):
    """Raises an `OSError` if some are neither inside nor outside."""
    # Nor is NaN at least 0.
    if not np.all(values >= 0):
        raise OSError(
            "it holds NaN or values below 0; save masks with 0 outside, and numbers "
            "above 0 inside"
        )


def _may_be_lossy(mask):
    return mask.format in _LOSSY or mask.info.get("compression") in _LOSSY_TIFF


def _least_inside(heights):
    """The least value that is inside of a mask in a format that may not keep black.

    Raises:
        OSError: If none surely is.
    """
    highest = int(heights.max())
    if 0 < highest < _SURELY_INSIDE:
        raise OSError(
            "its format may not keep black, and no value of it is above "
            f"{highest} of 255; save masks of small numbers as PNG"
        )
    return max(highest / 2, 1)
