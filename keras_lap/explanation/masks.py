"""Masks of images, brought into one form."""

import numpy as np

from keras_lap.nearest_pixels import nearest_pixels
from keras_lap.same_aspect import check_masks_aspect


def standardized_masks(masks, size, labels=None, valid=None, any_aspect=False):
    """Masks as flags of the pixels of their images.

    Args:
        masks: Array `(N, h, w)`, `(N, h, w, 1)`, or `(N, h, w, K)` with one mask per
            concept, where values above 0.5 are inside. They may be of any resolution.
            One that holds NaN becomes empty.
        size: Height and width of the images.
        labels: Int array `(N,)` or `(N, 1)` of the concepts whose masks are taken, or
            `(N, K)` of zeros and ones, of which the union is; by default, and of labels
            of another number of classes, the union of all is. Where a label is -1, so
            not known, no mask is either, and it becomes empty.
        valid: Flags `(N,)`, or `None`: masks that are not valid become empty.
        any_aspect: Whether the images were stretched, and masks are to be with them.

    Returns:
        Boolean array `(N, *size)`.

    Raises:
        ValueError: If the masks have another rank, or another aspect ratio than the
            images unless it may be any, or there is none of a label.
    """
    masks = np.asarray(masks)
    if masks.ndim == 4:
        masks = _of_labels(masks, labels)
    if masks.ndim != 3:
        raise ValueError(
            "Expected masks of shape (N, H, W), or (N, H, W, K) with one per concept. "
            f"Received: masks.shape={masks.shape}"
        )
    if not any_aspect:
        check_masks_aspect(masks.shape[1:], size)
    # As in training, where a mask that holds NaN is not known.
    known = ~np.isnan(masks).any(axis=(1, 2), keepdims=True)
    masks = nearest_pixels((masks > 0.5) & known, size)
    if valid is not None:
        masks = masks & np.asarray(valid, bool).reshape(-1, 1, 1)
    return masks


def _of_labels(masks, labels):
    """The masks of the labels, or the union of all."""
    concepts = masks.shape[-1]
    if concepts == 1 or labels is None:
        return masks.max(axis=-1)
    labels = np.asarray(labels)
    if labels.shape == (len(masks), concepts):
        masks = np.where(labels[:, None, None] > 0, masks, 0)
    if labels.shape not in (masks.shape[:1], (len(masks), 1)):
        return masks.max(axis=-1)
    labels = labels.reshape(-1)
    if not ((labels >= -1) & (labels < concepts)).all():
        raise ValueError(
            f"Expected labels from 0 to {concepts - 1}, to take one of the masks of "
            f"{concepts} concepts for each image. Received: labels from {labels.min()} "
            f"to {labels.max()}. Pass masks (N, H, W) without concepts."
        )
    of_labels = masks[np.arange(len(masks)), ..., labels.astype(int)]
    return np.where(labels[:, None, None] >= 0, of_labels, 0)
