"""Sequences as images of height one, for kernels that pool images."""

from keras import ops


def as_image(x, scores, pool_size, strides, padding):
    """Gives channels-last tensors of one spatial axis a second one, of size one.

    Args:
        x: Features `(N, W, C)` or `(N, H, W, C)`.
        scores: Scores of the same rank.
        pool_size: One size per spatial axis, or `None`.
        strides: One stride per spatial axis, or `None`.
        padding: `"valid"`, `"same"` or one pair per spatial axis.

    Returns:
        A tuple `(x, scores, window, restore)`: images, their `(pool_size, strides,
        padding)`, and a function that takes the second axis off the pooled image.
    """
    if len(x.shape) == 4:
        return x, scores, (pool_size, strides, padding), lambda y: y
    x, scores = (ops.expand_dims(tensor, 1) for tensor in (x, scores))
    if pool_size is not None:
        pool_size, strides = (1, *pool_size), (1, *strides)
    if not isinstance(padding, str):
        padding = ((0, 0), *padding)
    return x, scores, (pool_size, strides, padding), lambda y: ops.squeeze(y, 1)
