"""The order in which a map names the pixels."""

import numpy as np


def pixel_order(map_, generator):
    """Pixels from the most to the least important.

    Pixels of the same importance come in random order. In row-major order, a map with
    large flat parts, such as zeros wherever it is not positive, would be judged by
    where in the image they lie.

    Args:
        map_: float array `(H, W)`.
        generator: `numpy.random.Generator` that decides ties.

    Returns:
        int array `(H * W,)` of indices into the flattened map.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.faithfulness.pixel_order import pixel_order
    >>> pixel_order(np.array([[0.1, 0.9], [0.3, 0.2]]), np.random.default_rng(0))
    array([1, 2, 3, 0])
    """
    importance = map_.ravel()
    return np.lexsort((generator.random(importance.size), -importance))
