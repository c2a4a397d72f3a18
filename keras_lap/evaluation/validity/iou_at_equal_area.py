"""Overlap with the object, without a threshold."""

import numpy as np

from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.validity.score_maps import score_maps


def iou_at_equal_area(maps, masks):
    r"""IoU of the mask and as many of each map's highest pixels.

    Of a mask of $A$ pixels and the $A$ highest pixels of the map, $I$ of which lie on
    the mask, the intersection over union is

    $$ \frac{I}{2A - I} $$

    Only the order of the pixels counts: the scale of the map, its sign and how steeply
    it falls do not.

    If several pixels share the value at which the region is full, each of them belongs
    to it to the same part, so that the parts fill it; $I$ is then what a random choice
    among them would give on average. A constant map of any value, which has no highest
    pixels, is in this way a random guess: with a mask that covers the share $a$ of the
    image it scores $a / (2 - a)$. Samples with an empty mask are left out.

    Source: $I / A$ is the relevance rank accuracy of Arras et al., "CLEVR-XAI: A
    benchmark dataset for the ground truth evaluation of neural network explanations",
    Information Fusion 81, 2022; here it is put as an IoU, $r / (2 - r)$ of their $r$.

    Args:
        maps: float array of shape `(N, H, W)`, all finite: one map per image, at the
            size of the masks.
        masks: array of shape `(N, H, W)`, boolean or of zeros and ones.

    Returns:
        A `MetricResult` with values in `[0, 1]`.

    Raises:
        ValueError: If the shapes do not fit, a map is not finite, or a mask holds
            anything but zeros and ones.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import iou_at_equal_area
    >>> maps = np.array([[[0.9, 0.1, 0.5, 0.0]]])
    >>> masks = np.array([[[1, 1, 0, 0]]])
    >>> iou_at_equal_area(maps, masks).values.round(3)  # 1 of 3 pixels
    array([0.333])
    """
    return MetricResult(score_maps(_iou_of_highest, maps, masks))


def _iou_of_highest(map_, mask, _):
    area = mask.sum()
    lowest = np.partition(map_, -area, axis=None)[-area]
    higher, tied = map_ > lowest, map_ == lowest
    part = (area - higher.sum()) / tied.sum()
    common = higher[mask].sum() + part * tied[mask].sum()
    return common / (2 * area - common)
