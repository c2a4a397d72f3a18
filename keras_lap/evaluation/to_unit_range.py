"""Maps from 0 to 1."""

import numpy as np


def to_unit_range(map_):
    """A map with its minimum at 0 and its maximum at 1; a constant one becomes zero.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.to_unit_range import to_unit_range
    >>> to_unit_range(np.array([[2.0, 3.0, 4.0]]))
    array([[0. , 0.5, 1. ]])
    """
    return (map_ - map_.min()) / (np.ptp(map_) or 1)
