"""Whether boxes are shares of their images."""


def check_boxes(boxes, count):
    """Raises a `ValueError` if an array does not hold boxes of images.

    Args:
        boxes: The array, for `(N, M, 4)`: top, left, bottom and right as shares of the
            image's height and width, or rows of -1.
        count: Number of images.
    """
    if boxes.ndim != 3 or boxes.shape[-1] != 4 or len(boxes) != count:
        raise ValueError(
            "Expected boxes of shape (N, M, 4), for as many images as there are, "
            f"{count}. Received: boxes.shape={boxes.shape}. One box per image, of "
            "shape (N, 4), becomes `boxes[:, None]`."
        )
    # Rounding may take a box a little beyond the image.
    within = ((boxes >= -0.001) & (boxes <= 1.001)).all(axis=-1)
    outside = boxes[~within & (boxes != -1).any(axis=-1)]
    if len(outside):
        raise ValueError(
            "Expected boxes of top, left, bottom and right as shares of the image, "
            f"from 0 to 1, or rows of -1. Received: {len(outside)} others, the first "
            f"of which is {outside[0].tolist()}. Convert boxes in pixels by "
            '`keras.utils.bounding_boxes.convert_format(boxes, ..., "rel_yxyx", '
            "height, width)`."
        )
