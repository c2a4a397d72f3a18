"""Boxes as masks and back."""

import tensorflow as tf

# A share of a pixel: so far from its edge, a box counts as ending at it.
_ROUNDING = 1e-3


def paint_boxes(boxes, size):
    """Paints every box onto a plane of its own.

    Args:
        boxes: `(..., M, 4)`: top, left, bottom, right as shares of the image. Those
            without an area, or with their sides swapped, are painted as nothing.
        size: Height and width in pixels.

    Returns:
        Bool tensor `(..., H, W, M)`, true for all pixels that a box touches.
    """
    top, left, bottom, right = tf.unstack(tf.cast(boxes, "float32"), axis=-1)
    rows = _touched(top, bottom, size[0])
    columns = _touched(left, right, size[1])
    return rows[..., :, None, :] & columns[..., None, :, :]


def _touched(begin, end, count):
    """Which of `count` pixels in a line an interval touches, `(..., count, M)`."""
    begin, end = begin[..., None, :], end[..., None, :]
    pixels = tf.range(tf.cast(count, "float32"))[:, None]
    scale = tf.cast(count, "float32")
    starts = pixels < end * scale - _ROUNDING
    return (begin < end) & starts & (pixels + 1 > begin * scale + _ROUNDING)


def boxes_around(planes):
    """The smallest box around what is painted on each plane.

    Args:
        planes: `(..., H, W, M)`; painted are values from 0.5.

    Returns:
        float32 tensor `(..., M, 4)`: top, left, bottom, right as shares of the image,
        all -1 for an empty plane.
    """
    painted = planes >= 0.5
    top, bottom = _extent(tf.reduce_any(painted, axis=-2))
    left, right = _extent(tf.reduce_any(painted, axis=-3))
    found = tf.reduce_any(painted, axis=(-3, -2))[..., None]
    return tf.where(found, tf.stack([top, left, bottom, right], axis=-1), -1.0)


def _extent(painted):
    """Where the first painted pixel of a line begins and the last one ends."""
    marks = tf.cast(painted, "int32")
    count = tf.shape(marks, out_type="int64")[-2]
    first = tf.argmax(marks, axis=-2)
    last = count - tf.argmax(tf.reverse(marks, [-2]), axis=-2)
    return [tf.cast(edge / count, "float32") for edge in (first, last)]
