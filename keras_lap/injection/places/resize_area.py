"""Resizing maps so that areas are kept."""

import numpy as np
from keras import ops

from keras_lap.injection.places.overlap import overlap
from keras_lap.utils.float_dtypes import widest_dtype


def resize_area(maps, cells):
    """Resizes maps so that every new pixel is the mean of the area it covers.

    Args:
        maps: float32 `(N, H, W, K)`.
        cells: The rows and the columns of the new pixels, each an array `(pixels, 2)`
            of beginnings and ends as shares of the maps' length. What lies outside of
            `[0, 1]` is not counted; a pixel that lies there altogether is zero.

    Returns:
        float32 tensor `(N, rows, columns, K)`.
    """
    _, height, width, _ = ops.shape(maps)
    rows, columns = _area_weights(height, cells[0]), _area_weights(width, cells[1])
    return ops.einsum("yh,nhwk,xw->nyxk", rows, maps, columns)


def _area_weights(count, cells):
    """Share of each of `count` pixels in each cell, `(cells, count)`.

    In NumPy where sizes are known, since not every backend has float64.
    """
    is_static = isinstance(count, int) and isinstance(cells, np.ndarray)
    xp, dtype = (np, "float64") if is_static else (ops, widest_dtype())
    edges = count * cells[..., None] if is_static else _scaled(cells, count, dtype)
    shares = overlap(edges[:, 0], edges[:, 1], xp.arange(count, dtype=dtype), xp)
    total = xp.sum(shares, axis=-1, keepdims=True)
    return ops.cast(shares / xp.where(total > 0, total, 1.0), "float32")


def _scaled(cells, count, dtype):
    return ops.cast(count, dtype) * ops.cast(cells, dtype)[..., None]
