"""Images of one size."""

import numpy as np


def check_one_size(sizes, size, then):
    """Raises a `ValueError` if heights or widths differ along an axis that is open.

    Args:
        sizes: Heights and widths of images, at least one.
        size: Height and width of the model, `None` where it takes any.
        then: What to do about it, the last sentence of the error.
    """
    low, high = np.min(sizes, axis=0).tolist(), np.max(sizes, axis=0).tolist()
    if any(side is None and a != b for side, a, b in zip(size, low, high, strict=True)):
        raise ValueError(
            "Expected images of one size for a model that takes any. Received: heights "
            f"and widths from {low} to {high}. {then}"
        )
