"""Images as part of a page."""

import base64
import io


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
