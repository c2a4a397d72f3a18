"""Predictions that are no numbers, which name no class."""

import numpy as np

from keras_lap.utils.warn import warn


def warn_of_broken_predictions(predictions, name="model"):
    """Warns if some predictions are NaN.

    Args:
        predictions: Float array `(N, columns)`.
        name: What the model is called.
    """
    broken = np.flatnonzero(np.isnan(predictions).any(axis=-1))
    if len(broken):
        warn(
            f"{len(broken)} of {len(predictions)} predictions of the {name} are NaN, "
            f"the first at index {broken[0]}. They predict no class. Look at the "
            "weights, and at the range of the images."
        )
