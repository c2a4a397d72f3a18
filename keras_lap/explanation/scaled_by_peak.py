"""Maps as shares of their own maximum."""

import numpy as np


def scaled_by_peak(map_):
    """A map by its own maximum, negative values set to zero, one without any zero."""
    positive = np.maximum(map_, 0)
    peak = positive.max()
    return positive / peak if peak > 0 else positive
