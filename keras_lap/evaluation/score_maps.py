"""What metrics on a map and a mask have in common."""

import numpy as np

from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.standardize_maps import standardize_maps
from keras_lap.evaluation.standardize_masks_of_maps import standardize_masks_of_maps


def score_maps(score, maps, masks, seed=None):
    """Applies a metric to every map and its mask.

    Args:
        score: function that takes a float64 map `(H, W)` and a boolean mask `(H, W)`
            with at least one true pixel, and returns a number. With a `seed`, it also
            takes a `numpy.random.Generator`, one for each sample.
        maps: float array of shape `(N, H, W)`, all finite.
        masks: array of shape `(N, H, W)`, boolean or of zeros and ones.
        seed: int, seed of the generators. Defaults to `None`: `score` draws nothing.

    Returns:
        A `MetricResult`. Samples with an empty mask are left out.

    Raises:
        ValueError: If the shapes do not fit, a map is not finite, or a mask holds
            anything but zeros and ones.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.score_maps import score_maps
    >>> maps = np.array([[[0.0, 2.0]], [[3.0, 4.0]]])
    >>> masks = np.array([[[True, True]], [[False, False]]])
    >>> score_maps(lambda map_, mask: map_[mask].mean(), maps, masks).values
    array([ 1., nan])
    """
    maps = standardize_maps(maps)
    masks = standardize_masks_of_maps(masks, maps)

    def value(index):
        if not masks[index].any():
            return np.nan
        drawn = () if seed is None else (np.random.default_rng([seed, index]),)
        return score(maps[index].astype(np.float64), masks[index], *drawn)

    return MetricResult([value(index) for index in range(len(maps))])
