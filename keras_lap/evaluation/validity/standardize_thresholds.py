"""Thresholds that are relative to a map's maximum."""

import numpy as np


def standardize_thresholds(thresholds, name="thresholds"):
    """Thresholds as a float64 array, if they are shares of a maximum.

    Args:
        thresholds: floats above 0 and up to 1, in ascending order.
        name: str, what they are called in the message of an error.

    Returns:
        float64 array of shape `(S,)`.

    Raises:
        ValueError: If they are anything else, or none.

    Example:
    >>> from keras_lap.evaluation.validity.standardize_thresholds import (
    ...     standardize_thresholds,
    ... )
    >>> standardize_thresholds([0.25, 0.5])
    array([0.25, 0.5 ])
    """
    values = np.asarray(thresholds, dtype=np.float64)
    within = values.ndim == 1 and values.size and ((values > 0) & (values <= 1)).all()
    if not within or (np.diff(values) <= 0).any():
        raise ValueError(
            f"Expected {name} above 0 and up to 1, in ascending order, such as "
            f"[0.25, 0.5, 0.75]. Received: {name}={thresholds!r}"
        )
    return values
