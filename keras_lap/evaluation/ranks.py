"""Ranks with ties, as Spearman's correlation wants them."""

import numpy as np


def ranks(values, tolerance=0.0):
    """Ranks of numbers, from 1; those that are equal share the mean of theirs.

    Args:
        values: Array of finite numbers, which is flattened.
        tolerance: How far apart neighbours may be to count as equal.

    Returns:
        Float64 array of rank 1.

    Example:
    >>> from keras_lap.evaluation.ranks import ranks
    >>> ranks([0.5, -2.0, 0.5, 3.0])
    array([2.5, 1. , 2.5, 4. ])
    """
    values = np.ravel(values)
    order = np.argsort(values)
    steps = np.diff(values[order], prepend=values[order[:1]])
    places = np.cumsum(steps > tolerance)
    counts = np.bincount(places)
    found = np.empty(len(values))
    found[order] = (counts.cumsum() - (counts - 1) / 2)[places]
    return found
