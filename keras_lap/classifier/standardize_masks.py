"""Masks of images, brought into one form."""

import numpy as np

from keras_lap.classifier.labels import standardize_labels
from keras_lap.utils.resized_masks import resized_masks
from keras_lap.utils.same_aspect import check_masks_aspect


def standardize_masks(masks, size, labels=None, valid=None, any_aspect=False):
    """Masks as flags of the pixels of their images.

    Args:
        masks: Array `(N, h, w)`, `(N, h, w, 1)`, or `(N, h, w, K)` with one mask per
            concept, where values above 0.5 are inside. They may be of any resolution,
            see `keras_lap.utils.resized_masks`. One that holds NaN becomes empty.
        size: Height and width of the images.
        labels: Int array `(N,)` or `(N, 1)` of the concepts whose masks are taken, or
            `(N, classes)` of zeros and ones, where the union of those of its ones is,
            whatever the number of classes; by default the union of all is. Where a
            label is -1, so not known, no mask is either, and it becomes empty.
        valid: Flags `(N,)`, or `None`: masks that are not valid become empty.
        any_aspect: Whether the images were stretched, and masks are to be with them.

    Returns:
        Boolean array `(N, *size)`.

    Raises:
        ValueError: If the masks have another rank, or another aspect ratio than the
            images unless it may be any; or if there is none of a label, or there are
            labels of another number of images.
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
    masks = resized_masks((masks > 0.5) & known, size)
    if valid is not None:
        masks = masks & np.asarray(valid, bool).reshape(-1, 1, 1)
    return masks


def masks_of_concepts(masks, size, valid=None):
    """Masks as `standardize_masks` gives them, but of several concepts all of them.

    Returns:
        Boolean array `(N, *size)`, or `(N, *size, K)` with one mask per concept.
    """
    masks = np.asarray(masks)
    if masks.ndim != 4 or masks.shape[-1] == 1:
        return standardize_masks(masks, size, valid=valid)
    concepts = np.moveaxis(masks, -1, 0)
    each = [standardize_masks(of_one, size, valid=valid) for of_one in concepts]
    return np.stack(each, axis=-1)


def _of_labels(masks, labels):
    """The mask that each image's labels name, or the union of all."""
    concepts = masks.shape[-1]
    if concepts == 1 or labels is None:
        return masks.max(axis=-1)
    labels = standardize_labels(labels)
    if len(labels) != len(masks):
        raise ValueError(
            f"Expected labels of {len(masks)} images, as many as masks. Received: "
            f"labels of shape {labels.shape}"
        )
    named = labels if labels.ndim == 1 else np.nonzero(labels > 0)[1]
    if not ((named >= -1) & (named < concepts)).all():
        raise ValueError(
            f"Expected labels from 0 to {concepts - 1}, to take one of the masks of "
            f"{concepts} concepts for each image. Received: labels from {named.min()} "
            f"to {named.max()}. Pass masks (N, H, W) without concepts."
        )
    if labels.ndim == 1:
        of_labels = masks[np.arange(len(masks)), ..., labels]
        return np.where(labels[:, None, None] >= 0, of_labels, 0)
    # As many of both as there are, for no label is of the rest.
    present = labels[:, None, None, :concepts] > 0
    return np.where(present, masks[..., : labels.shape[1]], 0).max(axis=-1)
