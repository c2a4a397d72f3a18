"""Images without their colours, to lie under heat maps."""

import numpy as np

_LUMINANCE = np.array([[0.299], [0.587], [0.114]])  # ITU-R BT.601


def grey(images):
    """Luminance of images `(..., 3)`, as float `(..., 3)` of their range."""
    return np.repeat(images @ _LUMINANCE, 3, axis=-1)
