"""How alike two maps of the same image are.

Each function takes two float64 maps `(H, W)`, all finite, and returns a number that is
1 for equal maps.
"""

import numpy as np

from keras_lap.evaluation.ranks import ranks
from keras_lap.evaluation.to_unit_range import to_unit_range

_SIDE, _WIDTH = 11, 1.5
_RANGE_SHARES = (0.01, 0.03)


def spearman(first, second):
    """Correlation of the ranks of the pixels, those of equal value sharing a rank.

    Constant maps rank nothing. Two of them are alike (1); one of them beside another
    map has nothing in common with it (0).

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.sanity.similarity import spearman
    >>> rising = np.arange(6.0).reshape(2, 3)
    >>> round(spearman(rising, np.exp(rising)), 6), round(spearman(rising, -rising), 6)
    (1.0, -1.0)
    """
    first, second = (_centred(ranks(map_)) for map_ in (first, second))
    norms = np.linalg.norm(first), np.linalg.norm(second)
    if not all(norms):
        return float(norms[0] == norms[1])
    return float(first @ second / norms[0] / norms[1])


def absolute_spearman(first, second):
    """`spearman` of the absolute values, for maps whose sign may turn as a whole.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.sanity.similarity import absolute_spearman
    >>> rising = np.arange(6.0).reshape(2, 3)
    >>> round(absolute_spearman(rising, -rising), 6)
    1.0
    """
    return spearman(np.abs(first), np.abs(second))


def ssim(first, second):
    """Structural similarity, of maps stretched to the range from 0 to 1 first.

    The mean over all windows of 11 pixels with Gaussian weights, as published: Wang
    et al., "Image Quality Assessment: From Error Visibility to Structural Similarity",
    IEEE Transactions on Image Processing 13, 2004.

    Raises:
        ValueError: If a map is smaller than a window.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.sanity.similarity import ssim
    >>> map_ = np.random.default_rng(0).random((16, 16))
    >>> round(ssim(map_, 3 * map_ + 1), 6), ssim(map_, -map_) < 0
    (1.0, True)
    """
    if min(first.shape) < _SIDE:
        raise ValueError(
            f"Expected maps of at least {_SIDE} x {_SIDE} pixels for SSIM. "
            f"Received: maps of shape {first.shape}"
        )
    x, y = to_unit_range(first), to_unit_range(second)
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x = _blurred(x * x) - mean_x**2
    variance_y = _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    light, contrast = (share**2 for share in _RANGE_SHARES)
    values = (2 * mean_x * mean_y + light) * (2 * covariance + contrast)
    values /= mean_x**2 + mean_y**2 + light
    values /= variance_x + variance_y + contrast
    return float(values.mean())


SIMILARITIES = {
    "spearman": spearman,
    "absolute_spearman": absolute_spearman,
    "ssim": ssim,
}


def similarities(first, second, measure):
    """The similarity of each pair of maps.

    Args:
        first: Float array `(N, H, W)`.
        second: Float array of the same shape.
        measure: Function of two maps, one of `SIMILARITIES`.

    Returns:
        Float array `(N,)`, NaN where a map is not finite.
    """
    return np.array(
        [
            measure(a, b) if np.isfinite([a, b]).all() else np.nan
            for a, b in zip(
                first.astype(np.float64), second.astype(np.float64), strict=True
            )
        ]
    )


def _centred(values):
    return values - values.mean()


def _blurred(map_):
    places = np.arange(_SIDE) - _SIDE // 2
    weights = np.exp(-np.square(places / _WIDTH) / 2)
    weights /= weights.sum()
    windows = np.lib.stride_tricks.sliding_window_view(map_, (_SIDE, _SIDE))
    return np.einsum("yxij,i,j->yx", windows, weights, weights, optimize=True)
