"""Maps that are read at a glance have little beside their peaks."""

import numpy as np

from keras_lap.evaluation.conciseness.contributions import contributions
from keras_lap.evaluation.metric_result import MetricResult


def sparsity(maps):
    r"""Gini index of each map: how few pixels hold most of it.

    With the absolute values of the $d$ pixels in ascending order, $v_1 \le \dots \le
    v_d$:

    $$ 1 - 2 \sum_{k=1}^{d} \frac{v_k}{\sum_j v_j} \cdot \frac{d - k + \frac12}{d} $$

    It is 0 for a map that is the same everywhere and $1 - 1/d$ for a single pixel. Ties
    do not matter. The scale and the signs of the map do not count, so a map of negative
    values scores as its positive counterpart. A map of zeros has no contributions that
    could be shared out: it is left out.

    Sparse is not right: a map with one wrong pixel is as sparse as one can be.

    Source: Chalasani et al., "Concise Explanations of Neural Networks using Adversarial
    Training", ICML 2020. Their code adds $10^{-7}$ to every value, which is not done
    here.

    Args:
        maps: float array of shape `(N, H, W)`, all finite: one map per image.

    Returns:
        A `MetricResult` with values in `[0, 1)`.

    Raises:
        ValueError: If the shape does not fit or a map is not finite.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import sparsity
    >>> maps = np.array([[[0.0, 0.0], [0.0, 5.0]], [[2.0, 2.0], [2.0, 2.0]]])
    >>> sparsity(maps).values
    array([0.75, 0.  ])
    """
    return MetricResult([_gini(shares) for shares in contributions(maps)])


def _gini(shares):
    pixels = len(shares)
    weights = np.arange(1 - pixels, pixels, 2) / pixels
    # Rounding alone would take the index of an even map below zero.
    return np.maximum(np.sort(shares) @ weights, 0)
