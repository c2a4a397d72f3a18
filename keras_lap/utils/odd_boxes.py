"""Boxes and other shares of the image that hardly mean what they would be read as."""

# Boxes of annotated or augmented images may reach a little beyond the image.
_SURELY_NO_SHARE = 1.5


def are_no_shares(values):
    """Flags of values that are too far above 1 to be shares of the image.

    Args:
        values: Tensor of any backend and shape.

    Returns:
        Bool tensor of that shape.
    """
    return values > _SURELY_NO_SHARE


def are_reversed(boxes):
    """Flags of boxes that are no padding, and end before they begin.

    Args:
        boxes: Tensor of any backend, `(..., 4)`: top, left, bottom, right.

    Returns:
        Bool tensor `(...)`.
    """
    top, left, bottom, right = (boxes[..., side] for side in range(4))
    is_given = (top >= 0) & (left >= 0) & (bottom >= 0) & (right >= 0)
    return is_given & ((bottom < top) | (right < left))
