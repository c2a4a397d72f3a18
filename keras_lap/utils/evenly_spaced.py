"""Some of many samples."""

import numpy as np


def evenly_spaced(count, most=None):
    """Indices of at most so many of `count` samples, evenly spaced; `None` for all."""
    most = count if most is None else min(most, count)
    return np.linspace(0, count - 1, most).round().astype(int)
