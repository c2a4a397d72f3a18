"""Resizing maps so that areas are kept."""

import numpy as np
from keras import ops

from keras_lap.ops.arguments import widest_dtype

# Shares of a pixel up to this are errors of rounding.
_ROUNDING = 1e-4


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


def even_cells(size):
    """Cells for `resize_area` that divide the maps evenly.

    Args:
        size: `(height, width)`, integers or scalar tensors.

    Returns:
        float64 cells of the rows and of the columns: arrays for integers, else tensors.
    """
    return [_even_cells(count) for count in size]


def _even_cells(count):
    if isinstance(count, int):
        edges = np.arange(count + 1) / count
        return np.stack([edges[:-1], edges[1:]], axis=-1)
    dtype = widest_dtype()
    edges = ops.cast(ops.arange(count + 1), dtype) / ops.cast(count, dtype)
    return ops.stack([edges[:-1], edges[1:]], axis=-1)


def _area_weights(count, cells):
    """Share of each of `count` pixels in each cell, `(cells, count)`.

    In NumPy where sizes are known, since not every backend has float64.
    """
    is_static = isinstance(count, int) and isinstance(cells, np.ndarray)
    xp, dtype = (np, "float64") if is_static else (ops, widest_dtype())
    edges = count * cells[..., None] if is_static else _scaled(cells, count, dtype)
    pixels = xp.arange(count, dtype=dtype)
    low = xp.maximum(edges[:, 0], pixels)
    high = xp.minimum(edges[:, 1], pixels + 1)
    overlap = xp.where(high - low > _ROUNDING, high - low, 0.0)
    total = xp.sum(overlap, axis=-1, keepdims=True)
    return ops.cast(overlap / xp.where(total > 0, total, 1.0), "float32")


def _scaled(cells, count, dtype):
    return ops.cast(count, dtype) * ops.cast(cells, dtype)[..., None]
