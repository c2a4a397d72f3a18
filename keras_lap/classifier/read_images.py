"""Images read from files."""

import numpy as np

from keras_lap.classifier.check_one_size import check_one_size
from keras_lap.files.each_image import each_image
from keras_lap.files.image_pixels import (
    check_channels,
    image_pixels,
    is_deep,
    readable_size,
    warn_of_shallow,
)
from keras_lap.utils.collected import Collected
from keras_lap.utils.progress import Progress

_THEN = (
    "If the model was not trained so, read them yourself and pass an array in the "
    "range that it was trained on."
)
_OF_EACH_SIZE = "Resize them, or explain those of each size in a call of their own."


def read_images(files, size, channels, dtype=np.uint8, verbose=False):
    """Reads image files, and resizes them.

    Pixels are in `[0, 255]`; those of 16 bits are brought to that range too, grey ones
    with all of their precision. A warning is given if none of them is above 16383.
    Nothing but a TIFF is turned by what a camera noted in the file.

    Args:
        files: List of paths, in any format that Pillow reads, such as PNG or JPEG.
        size: Height and width to resize to, bilinearly; `None` along an axis that
            stays as it is, where all images need to have one size.
        channels: 1 for grey, 3 for colour, 4 for colour and opacity.
        dtype: Dtype of the result; float32 in any case if an image has over 8 bits.
        verbose: Whether there is a progress bar, as for `Progress`.

    Returns:
        A tuple: the array `(N, H, W, channels)`, and the images' own heights and
        widths, an integer array `(N, 2)`.

    Raises:
        FileNotFoundError: If files are missing. It names all that cannot be read.
        ImportError: If Pillow is not installed.
        MemoryError: If the images would not fit into memory.
        ValueError: If files cannot be read, all of which are named, there is none, the
            number of channels is another one, or sizes differ where they must not.
    """
    check_channels(channels)
    if not files:
        raise ValueError("Expected at least one file. Received: an empty list")
    found = each_image(files, lambda image: (readable_size(image), is_deep(image)))
    sizes = np.array([own for own, _ in found])
    check_one_size(sizes, size, _OF_EACH_SIZE)
    size = [side or own for side, own in zip(size, sizes[0].tolist(), strict=True)]
    if any(deep for _, deep in found):
        dtype = np.float32
    images = Collected("images", "Take fewer files.", len(files))
    progress = Progress(len(files), verbose, unit="file")

    def read(image):
        pixels, highest = image_pixels(image, channels, size)
        images.add(pixels[None].astype(dtype, copy=False))
        progress.update()
        return highest

    warn_of_shallow(max(each_image(files, read)), _THEN)
    return images.array(), sizes
