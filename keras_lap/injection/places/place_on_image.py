"""Maps of layers at the size of the image."""

import numpy as np
from keras import ops

from keras_lap.utils.float_dtypes import widest_dtype
from keras_lap.utils.linear_interpolation import linear_interpolation


def place_on_image(maps, cells, size):
    """Reads maps at the pixels of the image, bilinearly, as `explain` does.

    A pixel of a map has its value in the middle of its cell; beyond the outermost
    ones their values go on.

    Args:
        maps: Float tensor `(N, h, w, K)`.
        cells: Rows and columns of the image that the pixels of the maps stand for, as
            in `SupervisedLayer`: each `(pixels, 2)`, all of one length.
        size: Height and width of the image, integers or scalar tensors.

    Returns:
        Tensor `(N, height, width, K)` of the dtype of the maps.

    Example:

    >>> import numpy as np
    >>> from keras_lap.injection.places.place_on_image import place_on_image
    >>> halves = np.array([[0.0, 0.5], [0.5, 1.0]])
    >>> maps = np.array([[0.0, 1.0], [0.0, 1.0]]).reshape(1, 2, 2, 1)
    >>> np.array(place_on_image(maps, (halves, halves), (4, 4)))[0, 0, :, 0]
    array([0.  , 0.25, 0.75, 1.  ])
    """
    rows, columns = (
        ops.cast(_weights(*axis), maps.dtype) for axis in zip(cells, size, strict=True)
    )
    return ops.einsum("yh,nhwk,xw->nyxk", rows, maps, columns)


def _weights(cells, length):
    """Share of each pixel of the map in each of the image's, along one axis.

    In NumPy where sizes are known, since not every backend has float64.
    """
    if isinstance(length, int) and isinstance(cells, np.ndarray):
        xp, centres = np, (np.arange(length) + 0.5) / length
    else:
        xp, dtype = ops, widest_dtype()
        cells = ops.cast(cells, dtype)
        centres = (ops.arange(length, dtype=dtype) + 0.5) / ops.cast(length, dtype)
    index = (centres - cells[0, 0]) / (cells[0, 1] - cells[0, 0]) - 0.5
    return linear_interpolation(index, xp.shape(cells)[0], xp=xp)
