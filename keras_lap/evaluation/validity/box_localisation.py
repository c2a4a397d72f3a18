"""Whether maps are good for finding objects."""

import numpy as np

from keras_lap.evaluation.curve import Curve
from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.standardize_maps import standardize_maps
from keras_lap.evaluation.validity.check_boxes import check_boxes
from keras_lap.evaluation.validity.standardize_thresholds import standardize_thresholds
from keras_lap.utils.from_extra import from_extra

# 0.01, 0.02, ..., 0.99
THRESHOLDS = tuple(step / 100 for step in range(1, 100))


def box_localisation(maps, boxes, thresholds=THRESHOLDS, iou=0.5):
    r"""Share of the maps whose bounding box is that of an object (MaxBoxAcc).

    Each map is scaled to $[0, 1]$, its minimum becoming zero. At a threshold $\tau$,
    the pixels of at least $\tau$ fall into connected components, pixels that touch at a
    corner being connected. The tightest box around the component of the most pixels
    hits (value 1) if its intersection over union with any box of the image is at least
    $\delta$, and misses (value 0) otherwise:

    $$ \mathrm{BoxAcc}(\tau, \delta) = \frac{1}{N} \sum_n \mathbb{1}\Big[\max_b
       \mathrm{IoU}(\mathrm{box}_\tau(m_n), B_{n, b}) \ge \delta\Big], \qquad
       \mathrm{MaxBoxAcc}(\delta) = \max_\tau \mathrm{BoxAcc}(\tau, \delta) $$

    The curve is BoxAcc over the thresholds; the values are the hits at the threshold
    where BoxAcc is highest (the lowest such threshold), so their mean is MaxBoxAcc.
    This threshold is found on the very samples that are measured, which flatters every
    map a little; give one threshold, found on other samples, to avoid it. The bootstrap
    interval does not know of the choice.

    With several $\delta$, all of this is done for each, and the values and the curve
    are means over them.

    Components of equally many pixels: the first in row-major order counts. A constant
    map, of any value, points nowhere and misses. Samples without a box are left out.

    Source: Choe et al., "Evaluating Weakly Supervised Object Localization Methods
    Right", CVPR 2020, with thresholds from 0 in steps of 0.001. Their code rounds maps
    to 256 levels, takes pixels above the threshold only, and the largest component by
    the area that its outline encloses. Several $\delta$, 0.3, 0.5 and 0.7, are
    MaxBoxAccV2 of its journal version (TPAMI, 2022), which also lets any component hit,
    not the largest alone.

    Args:
        maps: float array of shape `(N, H, W)`, all finite: one map per image.
        boxes: float array of shape `(N, M, 4)`: top, left, bottom and right as shares
            of the image's height and width. Rows of -1 fill up images with fewer boxes;
            any box without an area is left out.
        thresholds: floats above 0 and up to 1, in ascending order. Defaults to
            `0.01, 0.02, ..., 0.99`.
        iou: float above 0 and up to 1, or several of them in ascending order: the
            $\delta$. Defaults to `0.5`.

    Returns:
        A `MetricResult` with values in `[0, 1]` and a curve over the thresholds.

    Raises:
        ImportError: If OpenCV, which finds the components, is not installed.
        ValueError: If the shapes, the thresholds or `iou` do not fit, a map is not
            finite, or a box reaches beyond the image.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import box_localisation
    >>> maps = np.zeros((1, 4, 4))
    >>> maps[0, 1:3, 1:3] = [[0.9, 0.8], [0.7, 0.2]]
    >>> box = [0.25, 0.25, 0.75, 0.75]
    >>> result = box_localisation(maps, [[box]], thresholds=[0.5, 0.95])
    >>> result.curve.y, result.mean
    (array([[1., 0.]]), 1.0)
    """
    components = _connected_components()
    maps = standardize_maps(maps)
    boxes = np.asarray(boxes, dtype=np.float64)
    check_boxes(boxes, len(maps))
    boxes = np.clip(boxes, 0, 1)
    thresholds = standardize_thresholds(thresholds)
    least = standardize_thresholds(np.atleast_1d(iou), "iou")
    best = np.full((len(maps), len(thresholds)), np.nan)
    for line, map_, of_image in zip(best, maps, boxes, strict=True):
        known = of_image[(of_image[:, :2] < of_image[:, 2:]).all(axis=1)]
        if len(known):
            found = _boxes_of(map_.astype(np.float64), thresholds, components)
            line[:] = _ious(found, known).max(axis=1)
    # Rounding must not turn an IoU of exactly `iou` into a miss.
    hit = best[..., None] >= least - 1e-9
    hits = np.where(np.isnan(best)[..., None], np.nan, hit)
    curve = Curve(
        thresholds, hits.mean(axis=-1), "threshold", f"hits at IoU {_listed(least)}"
    )
    return MetricResult(_at_best_threshold(hits), curve)


def _connected_components():
    needed = "box_localisation needs OpenCV, which finds connected components"
    with from_extra("evaluation", needed):
        from cv2 import connectedComponentsWithStats
    return connectedComponentsWithStats


def _boxes_of(map_, thresholds, components):
    """The box of the largest component at each threshold, `(S, 4)`, zero if none."""
    boxes = np.zeros((len(thresholds), 4))
    low, high = map_.min(), map_.max()
    if low == high:
        return boxes
    # Dividing by the largest size first keeps differences of huge values in range.
    peak = max(-low, high)
    scaled = (map_ / peak - low / peak) / (high / peak - low / peak)
    for box, threshold in zip(boxes, thresholds, strict=True):
        region = (scaled >= threshold).astype(np.uint8)
        _, labels, stats, _ = components(region, connectivity=8)
        sizes = stats[:, -1]
        sizes[0] = 0  # The background.
        # OpenCV numbers them by blocks of pixels, not by rows.
        first = (sizes == sizes.max())[labels].argmax()
        left, top, width, height, _ = stats[labels.flat[first]]
        box[:] = top, left, top + height, left + width
    return boxes / [*map_.shape, *map_.shape]


def _ious(found, known):
    """IoU of boxes `(S, 4)` and `(M, 4)`, `(S, M)`."""
    begin = np.maximum(found[:, None, :2], known[:, :2])
    end = np.minimum(found[:, None, 2:], known[:, 2:])
    common = np.clip(end - begin, 0, None).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (found, known)]
    return common / (areas[0][:, None] + areas[1] - common)


def _at_best_threshold(hits):
    """Mean hits of each sample, each IoU taken where its hits are most: `(N,)`."""
    counted = ~np.isnan(hits).any(axis=(1, 2))
    best = hits[counted].sum(axis=0).argmax(axis=0)
    return hits[:, best, np.arange(hits.shape[-1])].mean(axis=-1)


def _listed(numbers):
    return ", ".join(f"{number:g}" for number in numbers)
