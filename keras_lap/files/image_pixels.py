"""What is in an image file."""

import contextlib
import os

import numpy as np

from keras_lap.utils.from_extra import from_extra
from keras_lap.utils.warn import warn

# Pillow's names of what images have, by the number of channels.
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
# Full scale of 16 bits becomes that of 8.
_DEEPEST = 65535
_STEPS = _DEEPEST / 255
# Of how many bits pixels often are that fill only a part of 16.
_SHALLOW_BITS = 8, 10, 12, 14
# The tag of a page of a TIFF whose lowest bit says that it is a smaller version.
_TIFF_SUBFILE_TYPE = 254
# The tag that is 0 where 0 is white, which Pillow heeds in pixels of 8 bits only.
_TIFF_PHOTOMETRIC = 262
# The tag that says how viewers turn a photo, by 1 not at all.
_EXIF_ORIENTATION = 274
# A photo with previews of it, and a picture whose layers come after the whole.
_OF_ONE_PICTURE = ("MPO", "PSD")


def pillow():
    """The module `PIL.Image`.

    Raises:
        ImportError: If Pillow is not installed.
    """
    with from_extra("plot", "Reading image files needs Pillow"):
        import PIL.Image
    return PIL.Image


def read_errors():
    """What Pillow raises for files that it cannot read, a tuple of exceptions."""
    return OSError, SyntaxError, ValueError, pillow().DecompressionBombError


@contextlib.contextmanager
def opened(file):
    """Opens an image file by Pillow, for a `with` block that reads it.

    Raises:
        TypeError: If it is no path.
        OSError: If it is broken, or holds several pages or frames.
        SyntaxError, ValueError, PIL.Image.DecompressionBombError: If it cannot be read.
    """
    path = os.fspath(file)
    with contextlib.ExitStack() as stack:
        try:
            image = stack.enter_context(pillow().open(path))
            pages = _count_pages(image)
        except (MemoryError, *read_errors()):
            raise
        except Exception as error:
            # Of broken headers Pillow says whatever comes of them.
            raise OSError(f"it is broken ({error!r})") from error
        if pages > 1:
            raise OSError(
                f"it holds {pages} pages or frames, of which all but the first would "
                "be lost; save each as a file of its own"
            )
        if image.format == "TIFF":
            # Pillow maps files whose name it knows into memory, by the size that they
            # have when turned, which scrambles uncompressed ones.
            image.filename = ""
        yield image


def _count_pages(image):
    """The number of pages or frames, without smaller versions of the first one."""
    if image.format in _OF_ONE_PICTURE:
        return 1
    if image.format != "TIFF":
        return getattr(image, "n_frames", 1)
    count = 1
    for page in range(1, image.n_frames):
        image.seek(page)
        count += not image.tag_v2.get(_TIFF_SUBFILE_TYPE, 0) & 1
    image.seek(0)
    return count


@contextlib.contextmanager
def open_image(file):
    """Opens an image file as `opened` does, with one kind of error.

    Raises:
        ValueError: If it cannot be read; it names the file.
    """
    try:
        with opened(file) as image:
            yield image
    except read_errors() as error:
        raise ValueError(
            "Expected an image that can be read. Received: "
            f"{os.fspath(file)!r}: {getattr(error, 'strerror', None) or error}"
        ) from error


def check_channels(channels):
    """Raises a `ValueError` if files cannot be read for so many channels."""
    if channels not in _MODES:
        raise ValueError(
            "Expected images with 1, 3 or 4 channels, to read files for. "
            f"Received: {channels} channels. Read them yourself and pass an array."
        )


def readable_size(image):
    """Height and width of an image just opened by Pillow.

    Raises:
        OSError: If its pixels are floats.
    """
    if image.mode == "F":
        raise OSError("its pixels are floats of unknown range; read it yourself")
    return size_of(image)


def size_of(image):
    """Height and width of an image opened by Pillow."""
    return image.size[::-1]


def is_deep(image):
    """Whether an image opened by Pillow has over 8 bits."""
    return image.mode[0] in "IF"


def deep_values(image):
    """Values of an image of over 8 bits just opened by Pillow, of which 0 is black."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    is_white_at_0 = image.mode == "I;16" and tags.get(_TIFF_PHOTOMETRIC) == 0
    return _DEEPEST - values if is_white_at_0 else values


def is_turned(file):
    """Whether viewers turn an image, by its EXIF data, that is read as it is stored.

    Not one that cannot be read, nor a TIFF, which Pillow turns itself.
    """
    with contextlib.suppress(ValueError), open_image(file) as image:
        is_noted = image.getexif().get(_EXIF_ORIENTATION, 1) != 1
        return is_noted and image.format != "TIFF"
    return False


def is_cut_to_8_bits(image):
    """Whether an image just opened by Pillow has 16 bits, and is read as one of 8.

    So it does with several channels.
    """
    read_as = [str(tile[3]) for tile in image.tile]
    is_16_bit = any(";16" in mode and "BGR;16" not in mode for mode in read_as)
    return is_16_bit and not is_deep(image)


def highest_value(image):
    """What no value of an image just opened by Pillow exceeds, 0 for one of 8 bits.

    Raises:
        OSError: If it has over 8 bits, and its values are not of 16.
    """
    if is_cut_to_8_bits(image):
        colours = np.asarray(image.convert("RGB"))
        return int(colours.max()) << 8 | 0xFF if colours.any() else 0
    if not is_deep(image):
        return 0
    pixels = np.asarray(image)
    low, high = int(pixels.min()), int(pixels.max())
    if low < 0 or high > _DEEPEST:
        raise OSError(
            f"its pixels, from {low} to {high}, are not of 16 bits; read it yourself "
            "and pass an array"
        )
    return high


def image_pixels(image, channels, size=None):
    """Pixels of an image just opened by Pillow, and the highest value that it holds.

    Nothing but a TIFF is turned by what a camera noted in the file.

    Args:
        image: The `PIL.Image.Image`.
        channels: 1 for grey, 3 for colour, 4 for colour and opacity.
        size: Height and width to resize to, bilinearly; by default its own.

    Returns:
        A tuple: the array `(H, W, channels)` in `[0, 255]`, uint8, or float32 of an
        image of 16 bits, whose full scale becomes 255; and its `highest_value`.

    Raises:
        OSError: As `highest_value` does.
    """
    deep, highest = is_deep(image), highest_value(image)
    if deep:
        values = deep_values(image).astype(np.float32) / np.float32(_STEPS)
        image = pillow().fromarray(values)
    else:
        image = image.convert(_MODES[channels])
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), pillow().Resampling.BILINEAR)
    pixels = np.asarray(image)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if not deep or channels == 1:
        return pixels, highest
    opaque = [np.full_like(pixels, 255)] if channels == 4 else []
    return np.concatenate([pixels] * 3 + opaque, axis=-1), highest


def warn_of_shallow(highest, then, files="16-bit files"):
    """Warns if files of 16 bits seem to fill only a part of them.

    Args:
        highest: The highest of their `highest_value`.
        then: What to do in that case, a sentence.
        files: Which files these are.
    """
    bits = next((bits for bits in _SHALLOW_BITS if highest < 2**bits), None)
    if highest and bits:
        warn(
            f"No value of {files} is above {highest}: are they of {bits} bits? "
            f"Read as 16 bits, up to {_DEEPEST}, they come out too dark. {then}",
        )
