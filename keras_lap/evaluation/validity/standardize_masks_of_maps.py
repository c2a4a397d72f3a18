"""What masks have to be to be held against maps."""

import numpy as np


def standardize_masks_of_maps(masks, maps):
    """Masks as boolean array, if they are masks of the images that the maps are of.

    Args:
        masks: array of shape `(N, H, W)`, boolean or of zeros and ones.
        maps: array of shape `(N, H, W)`, as `standardize_maps` returns it.

    Returns:
        Boolean array of shape `(N, H, W)`.

    Raises:
        ValueError: If the shapes do not fit, or a mask holds anything but zeros and
            ones.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.validity.standardize_masks_of_maps import (
    ...     standardize_masks_of_maps,
    ... )
    >>> standardize_masks_of_maps([[[0, 1]]], maps=np.ones((1, 1, 2)))
    array([[[False,  True]]])
    """
    masks = np.asarray(masks)
    received = f"Received: maps.shape={maps.shape}, masks.shape={masks.shape}"
    if masks.ndim != 3:
        raise ValueError(
            f"Expected masks of shape (N, H, W), one per image. {received}. Masks of "
            "shape (N, H, W, 1) lose their last axis by `masks[..., 0]`."
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
    if not np.isin(masks, (0, 1)).all():
        raise ValueError(
            "Expected masks that are boolean or hold zeros and ones only. Received: "
            f"masks of dtype {masks.dtype} with values from {masks.min()} to "
            f"{masks.max()}. Threshold them first, such as `masks > 0.5`."
        )
    return masks.astype(bool)
