"""The highest pixels of maps, and means over them."""

from keras import ops

from keras_lap.injection.are_in_order import are_in_order
from keras_lap.utils.float_dtypes import widest_dtype


def check_top_fraction(top_fraction):
    """Raises a `ValueError` unless it is a share of the pixels, in `(0, 0.5]`."""
    if not are_in_order(0, top_fraction, strict=True) or top_fraction > 0.5:
        raise ValueError(
            "Expected `top_fraction` in (0, 0.5], a share of the pixels. "
            f"Received: top_fraction={top_fraction!r}"
        )


def pixels_in_a_row(logits):
    """Maps `(N, H, W, K)` as `(N, P, K)`."""
    samples, height, width, concepts = ops.shape(logits)
    return ops.reshape(logits, (samples, height * width, concepts))


def pixel_count(fraction, pixels):
    """How many pixels a fraction of them is, at least one; `pixels` may be a tensor."""
    if isinstance(pixels, int):
        return at_least_one(int(fraction * pixels))
    return at_least_one(ops.cast(fraction * ops.cast(pixels, widest_dtype()), "int32"))


def at_least_one(count):
    """A number, which may be a tensor, or 1 in place of 0."""
    return max(count, 1) if isinstance(count, int) else ops.maximum(count, 1)


def height_of_highest(maps, count):
    """The lowest of the `count` highest values of maps `(N, P, K)`, `(N, K)`."""
    return ops.top_k(ops.transpose(maps, (0, 2, 1)), count)[0][..., -1]


def mean_above(bound, maps, count, values):
    """Mean of the values at the `count` highest pixels, `(N, K)`; 0 if `count` is 0.

    Where several pixels are as high as the lowest of them, they share what is left of
    the count.

    Args:
        bound: The lowest of these heights, `(N, 1, K)`.
        maps: `(N, P, K)`.
        count: Number of pixels.
        values: `(N, P, K)`.
    """
    above, level = (
        ops.cast(chosen, maps.dtype) for chosen in (maps > bound, maps == bound)
    )
    left = ops.cast(count, maps.dtype) - ops.sum(above, axis=1, keepdims=True)
    shares = above + level * left / ops.maximum(
        ops.sum(level, axis=1, keepdims=True), 1
    )
    # Not 0 times an infinite value.
    chosen = ops.where(shares > 0, shares * values, 0)
    return ops.sum(chosen, axis=1) / ops.cast(at_least_one(count), maps.dtype)
