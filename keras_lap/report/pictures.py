"""Pictures as parts of a page: no larger than it needs, and as text."""

import base64
import io

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


def encoded(pixels, **options):
    """Pixels as the text of a WebP file.

    Args:
        pixels: Uint8 array `(H, W)` of grey values, `(H, W, 3)` of colours or
            `(H, W, 4)` with opacity.
        **options: How Pillow writes WebP, as `quality=90` or `lossless=True`.

    Returns:
        Base64 text.
    """
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", **options)
    return base64.b64encode(file.getvalue()).decode()
