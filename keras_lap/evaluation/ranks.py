import numpy as np


def ranks(values) -> np.ndarray:
    """Ranks of numbers, from 1; those that are equal share the mean of theirs.

    Args:
        values: Array, which is flattened.

    Returns:
        Float64 array of rank 1.

    Example:
    >>> from keras_lap.evaluation.ranks import ranks
    >>> ranks([0.5, -2.0, 0.5, 3.0])
    array([2.5, 1. , 2.5, 4. ])
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[places.ravel()]
