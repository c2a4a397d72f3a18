"""What metrics on a map and a mask have in common."""

import numpy as np

from keras_lap.evaluation.standardize_maps import standardize_maps
from keras_lap.evaluation.validity.standardize_masks_of_maps import (
    standardize_masks_of_maps,
)


def score_maps(score, maps, masks, shape=()):
    """Applies a metric to every map and its mask.

    Args:
        score: function that takes a float64 map `(H, W)`, a boolean mask `(H, W)` with
            at least one true pixel, and the index of the sample, and returns a number,
            or an array of `shape`.
        maps: float array of shape `(N, H, W)`, all finite.
        masks: array of shape `(N, H, W)`, boolean or of zeros and ones.
        shape: tuple of ints, what a score has.

    Returns:
        float64 array `(N, *shape)`, NaN for samples with an empty mask.

    Raises:
        ValueError: If the shapes do not fit, a map is not finite, or a mask holds
            anything but zeros and ones.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.validity.score_maps import score_maps
    >>> maps = np.array([[[0.0, 2.0]], [[3.0, 4.0]]])
    >>> masks = np.array([[[True, True]], [[False, False]]])
    >>> score_maps(lambda map_, mask, _: map_[mask].mean(), maps, masks)
    array([ 1., nan])
    """
    maps = standardize_maps(maps)
    masks = standardize_masks_of_maps(masks, maps)
    scores = np.full((len(maps), *shape), np.nan)
    for index, (map_, mask) in enumerate(zip(maps, masks, strict=True)):
        if mask.any():
            scores[index] = score(map_.astype(np.float64), mask, index)
    return scores
