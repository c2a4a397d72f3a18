"""Cells of one size that divide an image."""

import numpy as np
from keras import ops

from keras_lap.utils.float_dtypes import widest_dtype


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
