from collections.abc import Callable

import numpy as np

from keras_lap.evaluation.check_maps import check_maps
from keras_lap.evaluation.check_masks import check_masks
from keras_lap.evaluation.metric_result import MetricResult


def score_maps(
    score: Callable[[np.ndarray, np.ndarray], float], maps, masks
) -> MetricResult:
    """Applies a metric to every map and its mask.

    Args:
        score: function that takes a float64 map `(H, W)` and a boolean mask `(H, W)`
            with at least one true pixel, and returns a number.
        maps: float array of shape `(N, H, W)`, all finite.
        masks: array of shape `(N, H, W)`, boolean or of zeros and ones.

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
    maps = check_maps(maps)
    masks = check_masks(masks, maps)
    return MetricResult(
        [
            score(map_.astype(np.float64), mask) if mask.any() else np.nan
            for map_, mask in zip(maps, masks, strict=True)
        ]
    )
