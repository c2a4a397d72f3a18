"""What maps have to be before anything is measured on them."""

import numpy as np


def standardize_maps(maps):
    """Maps as an array, if they are maps that a metric can be computed from.

    Args:
        maps: array of shape `(N, H, W)`, all finite: one map per image.

    Returns:
        The maps as a NumPy array of their own dtype.

    Raises:
        ValueError: If the shape does not fit or a map is not finite.

    Example:
    >>> from keras_lap.evaluation.standardize_maps import standardize_maps
    >>> standardize_maps([[[0.0, 1.0]]]).shape
    (1, 1, 2)
    """
    maps = np.asarray(maps)
    received = f"Received: maps.shape={maps.shape}"
    if maps.ndim != 3:
        raise ValueError(
            f"Expected maps of shape (N, H, W), one per image. {received}. Of maps "
            "with several concepts, shape (N, H, W, K), pick one per image, such as "
            "`maps[..., k]`."
        )
    if 0 in maps.shape[1:]:
        raise ValueError(f"Expected maps of at least one pixel. {received}")
    broken = np.flatnonzero(~np.isfinite(maps).all(axis=(1, 2)))
    if len(broken):
        raise ValueError(
            f"Expected finite maps. Received: NaN or infinite values in {len(broken)} "
            f"of {len(maps)} maps, the first at index {broken[0]}. Find out why the "
            "explainer gave them, or leave these samples out."
        )
    return maps
