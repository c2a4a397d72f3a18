"""Maps that are read at a glance spread over few pixels."""

import numpy as np

from keras_lap.evaluation.conciseness.contributions import contributions
from keras_lap.evaluation.metric_result import MetricResult


def complexity(maps):
    r"""Entropy of each map: over how many pixels it is spread.

    With the share $P_i = |m_i| / \sum_j |m_j|$ that pixel $i$ contributes:

    $$ -\sum_i P_i \ln P_i $$

    in nats. It is 0 for a single pixel, $\ln d$ for a map that is the same everywhere
    on its $d$ pixels, and $\ln n$ for one that is the same on $n$ of them and zero on
    the others: $e$ to its power is a number of pixels. The scale and the signs of the
    map do not count. A map of zeros has no contributions that could be shared out: it
    is left out.

    A simple map is not a right one, see `sparsity`.

    Source: Bhatt et al., "Evaluating and Aggregating Feature-based Model Explanations",
    IJCAI 2020.

    Args:
        maps: float array of shape `(N, H, W)`, all finite: one map per image.

    Returns:
        A `MetricResult` with values from 0 to the logarithm of the number of pixels.

    Raises:
        ValueError: If the shape does not fit or a map is not finite.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import complexity
    >>> maps = np.array([[[0.0, 0.0], [3.0, -3.0]]])
    >>> np.exp(complexity(maps).values).round(6)
    array([2.])
    """
    return MetricResult([_entropy(shares) for shares in contributions(maps)])


def _entropy(shares):
    # Of a share of zero any finite logarithm will do.
    return shares @ np.log(1 / np.maximum(shares, np.finfo(shares.dtype).tiny))
