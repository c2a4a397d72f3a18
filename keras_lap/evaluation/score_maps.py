from collections.abc import Callable

import numpy as np

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
    maps, masks = _validated(maps, masks)
    return MetricResult(
        [
            score(map_.astype(np.float64), mask) if mask.any() else np.nan
            for map_, mask in zip(maps, masks, strict=True)
        ]
    )


def _validated(maps, masks):
    maps, masks = np.asarray(maps), np.asarray(masks)
    received = f"Received: maps.shape={maps.shape}, masks.shape={masks.shape}"
    if maps.ndim != 3 or masks.ndim != 3:
        raise ValueError(
            "Expected maps and masks of shape (N, H, W), one map and one mask per "
            f"image. {received}. Of maps with several concepts, shape (N, H, W, K), "
            "pick one per image, such as `maps[..., k]`."
        )
    if len(maps) != len(masks):
        raise ValueError(
            f"Expected as many maps as masks. {received}. Pass the map and the mask "
            "of the same images, in the same order."
        )
    if maps.shape != masks.shape:
        raise ValueError(
            f"Expected maps and masks of the same height and width. {received}. "
            "Resize the maps to the size of the masks first: both are meant to have "
            "the size of the model's input."
        )
    if 0 in maps.shape[1:]:
        raise ValueError(f"Expected maps of at least one pixel. {received}")
    if not np.isin(masks, (0, 1)).all():
        raise ValueError(
            "Expected masks that are boolean or hold zeros and ones only. Received: "
            f"masks of dtype {masks.dtype} with values from {masks.min()} to "
            f"{masks.max()}. Threshold them first, such as `masks > 0.5`."
        )
    broken = np.flatnonzero(~np.isfinite(maps).all(axis=(1, 2)))
    if len(broken):
        raise ValueError(
            f"Expected finite maps. Received: NaN or infinite values in {len(broken)} "
            f"of {len(maps)} maps, the first at index {broken[0]}. Find out why the "
            "explainer gave them, or leave these samples out of `maps` and `masks`."
        )
    return maps, masks.astype(bool)
