"""Maps as distributions over their pixels."""

import numpy as np

from keras_lap.evaluation.standardize_maps import standardize_maps


def contributions(maps):
    """The share of each map's absolute values that each pixel has.

    Args:
        maps: float array of shape `(N, H, W)`, all finite.

    Yields:
        For each map a float64 array of shape `(H * W,)` with sum 1, or of NaN for a map
        of zeros.

    Raises:
        ValueError: If the shape does not fit or a map is not finite.

    Example:
    >>> from keras_lap.evaluation.conciseness.contributions import contributions
    >>> next(contributions([[[3.0, -1.0]]]))
    array([0.75, 0.25])
    """
    for map_ in standardize_maps(maps):
        sizes = np.abs(map_.astype(np.float64)).ravel()
        peak = sizes.max()
        if peak == 0:
            yield np.full(sizes.size, np.nan)
        else:
            # Dividing by the maximum first keeps the sum of huge values in range.
            shares = sizes / peak
            yield shares / shares.sum()
