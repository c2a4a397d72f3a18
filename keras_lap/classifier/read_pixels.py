"""Image files at the size that a network takes."""

import os

import numpy as np

from keras_lap.classifier.read_images import read_images
from keras_lap.utils.layout import channel_axis
from keras_lap.utils.warn import warn


def read_pixels(taken, files, size=None, verbose=False):
    """Reads image files for a network, and warns of those that it stretches.

    Args:
        taken: The `keras_lap.classifier.image_input.ImageInput` of the network.
        files: List of paths.
        size: Height and width to resize to; by default those that the network takes,
            and where it takes any those of the files.
        verbose: Whether there is a progress bar, as for `read_images`.

    Returns:
        A tuple: the array `(N, H, W, C)` in `[0, 255]`, and the files' own heights and
        widths `(N, 2)`, see `read_images`.

    Raises:
        ValueError: If a file cannot be read, or the files have different sizes and
            the network takes any.
    """
    # Subclassed models do not say what they take: images in colour, then.
    shape = taken.shape or (None,) * 4
    channels = shape[channel_axis(taken.data_format)] or 3
    # Only a graph says which dtype it takes, and casts to it.
    dtype = np.float32 if taken.shape is None else np.uint8
    size = size or shape[taken.spatial]
    images, sizes = read_images(files, size, channels, dtype, verbose)
    _warn_of_stretched(files, sizes, images.shape[1:3])
    return images, sizes


def _warn_of_stretched(files, sizes, size):
    """Warns if the aspect ratio of files is changed, by over a pixel.

    Args:
        files: List of their paths.
        sizes: Their own heights and widths, `(N, 2)`.
        size: Height and width that they are resized to.
    """
    (height, width), sizes = size, np.asarray(sizes)
    changed = np.abs(sizes[:, 1] * (height / sizes[:, 0]) - width) > 1
    if not changed.any():
        return
    first = int(changed.argmax())
    warn(
        f"{changed.sum()} of {len(files)} files have another aspect ratio than "
        f"{(height, width)} (height, width) and are stretched to that, the first "
        f"{os.fspath(files[first])!r} from {tuple(sizes[first].tolist())}. Crop or pad "
        "them beforehand if the model was not trained so."
    )
