"""Whether a map points at the object."""

import numpy as np

from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.sample_generator import sample_generator
from keras_lap.evaluation.validity.score_maps import score_maps


def pointing_game(maps, masks, tolerance=0, seed=0):
    """Share of the maps whose maximum points at the mask.

    A map hits (value 1) if the Euclidean distance between the pixel of its maximum and
    the nearest pixel of the mask is at most `tolerance`, and misses (value 0)
    otherwise. If several pixels share the maximum, one of them is drawn at random, all
    with the same chance, so a constant map is a random guess and not a hit. Samples
    with an empty mask are left out.

    Source: Zhang et al., "Top-Down Neural Attention by Excitation Backprop",
    International Journal of Computer Vision 126, 2018. They allowed a tolerance of 15
    pixels at the size of the full image; on small images that is generous. What they
    report is the mean of the classes' means, which `by_class` gives: see the example.

    Args:
        maps: float array of shape `(N, H, W)`, all finite: one map per image, at the
            size of the masks.
        masks: array of shape `(N, H, W)`, boolean or of zeros and ones: the region
            that a valid explanation points at.
        tolerance: float of at least 0, in pixels. Defaults to `0`: the maximum must
            lie on the mask.
        seed: int, seed of the draw among tied maxima, which depends on the seed and the
            index of the sample alone. Defaults to `0`.

    Returns:
        A `MetricResult` with values 0 and 1.

    Raises:
        ValueError: If the shapes do not fit, a map is not finite, a mask holds
            anything but zeros and ones, `tolerance` is negative or NaN, or `seed` is
            no integer of at least 0.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import pointing_game
    >>> maps = np.array([[[0.0, 1.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]])
    >>> masks = np.array([[[0, 1], [0, 0]], [[0, 0], [0, 1]]])
    >>> pointing_game(maps, masks).values
    array([1., 0.])
    >>> pointing_game(maps, masks, tolerance=1).mean
    1.0
    >>> maps, masks = maps[[0, 0, 1]], masks[[0, 0, 1]]
    >>> by_class = pointing_game(maps, masks).by_class([5, 5, 8])
    >>> {label: result.mean for label, result in by_class.items()}
    {5: 1.0, 8: 0.0}
    >>> float(np.mean([result.mean for result in by_class.values()]))
    0.5
    """
    if not tolerance >= 0:
        raise ValueError(
            f"Expected a tolerance of at least 0 pixels. Received: {tolerance=}"
        )

    def hit(map_, mask, index):
        y, x = sample_generator(seed, index).choice(np.argwhere(map_ == map_.max()))
        mask_y, mask_x = np.nonzero(mask)
        squared_distance = np.min((mask_y - y) ** 2 + (mask_x - x) ** 2)
        return float(squared_distance <= tolerance**2)

    return MetricResult(score_maps(hit, maps, masks))
