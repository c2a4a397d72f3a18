"""Reading values between pixels."""

import numpy as np


def linear_interpolation(index, count, xp=np):
    """Weights of pixels along one axis that are read at places between them.

    Beyond the outermost pixels their values go on.

    Args:
        index: Places `(places,)`, of a float dtype, in pixels from the first one.
        count: Number of pixels.
        xp: The module to compute with, `numpy` or `keras.ops`.

    Returns:
        Array or tensor `(places, count)`, of rows that add up to 1.

    Example:

    >>> import numpy as np
    >>> from keras_lap.utils.linear_interpolation import linear_interpolation
    >>> linear_interpolation(np.array([-3.0, 0.25, 1.0]), 2)
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.  , 1.  ]])
    """
    pixels = xp.arange(count, dtype=index.dtype)
    index = xp.clip(index, pixels[0], pixels[-1])
    return xp.maximum(1 - xp.abs(index[:, None] - pixels), 0)
