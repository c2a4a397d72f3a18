"""How much of a map is on the object."""

import numpy as np

from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.validity.score_maps import score_maps


def energy_in_mask(maps, masks):
    r"""Share of each map's positive energy that lies on the mask.

    With the positive part $m^+ = \max(m, 0)$ of a map $m$ and the mask $M$:

    $$ \frac{\sum_{p \in M} m^+_p}{\sum_p m^+_p} $$

    Negative values speak against the class or concept, so they are set to zero first.
    A map without any positive value points nowhere: its value is 0, and it is counted.
    Samples with an empty mask are left out. A constant positive map scores the share
    of the image that the mask covers, which is what to compare with.

    Source: the energy-based pointing game of Wang et al., "Score-CAM: Score-Weighted
    Visual Explanations for Convolutional Neural Networks", CVPR Workshops 2020. They
    sum over boxes; a mask is the general case.

    Args:
        maps: float array of shape `(N, H, W)`, all finite: one map per image, at the
            size of the masks.
        masks: array of shape `(N, H, W)`, boolean or of zeros and ones: the region
            that a valid explanation lies on.

    Returns:
        A `MetricResult` with values in `[0, 1]`.

    Raises:
        ValueError: If the shapes do not fit, a map is not finite, or a mask holds
            anything but zeros and ones.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import energy_in_mask
    >>> maps = np.array([[[3.0, 1.0], [0.0, -5.0]]])
    >>> masks = np.array([[[1, 0], [0, 1]]])
    >>> energy_in_mask(maps, masks).values
    array([0.75])
    """
    return MetricResult(score_maps(_share_inside, maps, masks))


def _share_inside(map_, mask, _):
    peak = map_.max()
    if peak <= 0:
        return 0.0
    # Dividing by the maximum first keeps the sums of huge or tiny values in range.
    energy = np.maximum(map_, 0) / peak
    inside, outside = energy[mask].sum(), energy[~mask].sum()
    return inside / (inside + outside)
