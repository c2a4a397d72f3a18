"""Overlap with the object at many thresholds, none of which is chosen."""

import numpy as np

from keras_lap.evaluation.curve import Curve
from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.validity.score_maps import score_maps
from keras_lap.evaluation.validity.standardize_thresholds import standardize_thresholds

# 0.05, 0.1, ..., 0.95
THRESHOLDS = tuple(step / 20 for step in range(1, 20))


def iou_over_thresholds(maps, masks, thresholds=THRESHOLDS):
    r"""How well the high part of each map covers the mask, at several thresholds.

    At a threshold $\tau$ the map $m$ stands for the region of the pixels that reach
    this share of its maximum. Its intersection over union with the mask $M$ is

    $$ \mathrm{IoU}(\tau) = \frac{|R_\tau \cap M|}{|R_\tau \cup M|},
       \qquad R_\tau = \{p : m_p \ge \tau \max m\} $$

    and the value of a sample is the mean over the thresholds. No threshold is chosen:
    the best one would have to be found on other data than it is measured on.

    Pixels that reach the threshold exactly belong to the region. A map without any
    positive value points nowhere: its region is empty, its value 0, and it is counted.
    Negative values are never in the region. A constant positive map is the whole image
    at every threshold and scores the share of the image that the mask covers. Samples
    with an empty mask are left out.

    Source: the index is Jaccard's (1912); regions of a map at and above a threshold are
    those of Choe et al., "Evaluating Weakly Supervised Object Localization Methods
    Right", CVPR 2020, except that they first shift the minimum of each map to zero. The
    mean over thresholds is this library's choice.

    Args:
        maps: float array of shape `(N, H, W)`, all finite: one map per image, at the
            size of the masks.
        masks: array of shape `(N, H, W)`, boolean or of zeros and ones.
        thresholds: floats above 0 and up to 1, in ascending order. Defaults to
            `0.05, 0.1, ..., 0.95`.

    Returns:
        A `MetricResult` with values in `[0, 1]` and a curve of the IoU over the
        thresholds.

    Raises:
        ValueError: If the shapes or the thresholds do not fit, a map is not finite, or
            a mask holds anything but zeros and ones.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import iou_over_thresholds
    >>> maps = np.array([[[4.0, 2.0], [1.0, 0.0]]])
    >>> masks = np.array([[[1, 1], [0, 0]]])
    >>> result = iou_over_thresholds(maps, masks, thresholds=[0.25, 0.5, 0.75])
    >>> result.curve.y.round(3)
    array([[0.667, 1.   , 0.5  ]])
    >>> round(result.mean, 3)
    0.722
    """
    thresholds = standardize_thresholds(thresholds)

    def ious(map_, mask, _):
        peak = map_.max()
        if peak <= 0:
            return 0.0
        shares = map_ / peak
        inside, outside = (
            len(part) - np.searchsorted(part, thresholds)
            for part in (np.sort(shares[mask]), np.sort(shares[~mask]))
        )
        return inside / (mask.sum() + outside)

    lines = score_maps(ious, maps, masks, thresholds.shape)
    curve = Curve(thresholds, lines, "threshold", "IoU")
    return MetricResult(lines.mean(axis=1), curve)
