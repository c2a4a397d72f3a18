"""Images no larger than a page needs."""

import numpy as np


def shrunk(pixels, side):
    """Pixels averaged down to a size; those that are no larger stay as they are.

    Args:
        pixels: Uint8 array `(H, W)` or `(H, W, C)`.
        side: The most pixels along an edge.

    Returns:
        Uint8 array of the same rank and, up to rounding, the same proportions.
    """
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.BOX)
    return np.asarray(image)
