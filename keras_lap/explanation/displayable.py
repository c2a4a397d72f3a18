"""Images of any range, made ready to be shown."""

import numpy as np

# The ends of the usual ranges: shares, 8, 12 and 16 bits.
_TOPS = (1, 255, 4095, 65535)
# What stays below this are shares, if some leave [0, 1] too: integers cannot.
_SHARES = 2
# How far floats may leave a range, as a share: resizing and float16 round.
_ROUNDING = 1e-3


def displayable(images):
    """Images as a screen shows them.

    Images of dtype uint8 stay as they are. Of others the smallest of the ranges
    `[0, 1]`, `[0, 255]`, `[0, 4095]` (12 bit) and `[0, 65535]` (16 bit) that holds all
    values of all images becomes `[0, 255]`. Where none does, as behind a preprocessing
    that centres values, or where floats reach a little over 1, the lowest value of all
    images becomes 0 and the highest 255.

    Args:
        images: Array `(N, H, W)` or `(N, H, W, C)` of numbers or booleans, finite. Of
            four channels the first three are shown, and of two, or more than four,
            their mean, as grey.

    Returns:
        Uint8 array `(N, H, W, 3)`.

    Raises:
        ValueError: If `images` has another rank, no channel, or values that are not
            finite.

    Example:

    >>> import numpy as np
    >>> from keras_lap.explanation import displayable
    >>> displayable(np.array([[[0.0, 0.4, 1.0]]]))[0, 0, :, 0]
    array([  0, 102, 255], dtype=uint8)
    >>> displayable(np.array([[[-5.0, 0.0, 5.0, 20.0]]]))[0, 0, :, 0]
    array([  0,  51, 102, 255], dtype=uint8)
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or not images.shape[-1]:
        raise ValueError(
            "Expected images of shape (N, H, W) or (N, H, W, C), C at least 1. "
            f"Received: images.shape={images.shape}"
        )
    shown = np.empty((*images.shape[:3], 3), np.uint8)
    if not images.size:
        return shown
    low, high = (0, 255) if images.dtype == np.uint8 else _range(images)
    for index, image in enumerate(images):
        # In float32, whatever the dtype: differences of integers may overflow theirs.
        pixels = _shown_channels(image.astype(np.float32))
        pixels = (pixels - low) * (255 / (high - low))
        shown[index] = np.clip(np.rint(pixels), 0, 255)
    return shown


def _range(images):
    low, high = float(images.min()), float(images.max())
    if not np.isfinite([low, high]).all():
        raise ValueError(
            f"Expected finite images. Received: values from {low} to {high}. Replace "
            "what is missing, as by `np.nan_to_num`."
        )
    for top in _TOPS[:1] if high < _SHARES else _TOPS:
        if low >= -_ROUNDING * high and high <= top * (1 + _ROUNDING):
            return 0, top
    return low, high if high > low else low + 1


def _shown_channels(image):
    """The channels of an image `(H, W, C)` that are red, green and blue, or grey."""
    if image.shape[-1] in (3, 4):
        return image[..., :3]
    return image.mean(axis=-1, keepdims=True)
