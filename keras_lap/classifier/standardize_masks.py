"""Masks of images, brought into one form."""

import numpy as np

from keras_lap.classifier.labels import standardize_labels
from keras_lap.utils.resized_masks import resized_masks
from keras_lap.utils.same_aspect import check_masks_aspect


def standardize_masks(
    masks, size, labels=None, class_concepts=None, valid=None, any_aspect=False
):
    """Masks as flags of the pixels of their images.

    Args:
        masks: Array `(N, h, w)`, `(N, h, w, 1)`, or `(N, h, w, K)` with one mask per
            concept, where values above 0.5 are inside. They may be of any resolution,
            see `keras_lap.utils.resized_masks`. One that holds NaN becomes empty.
        size: Height and width of the images.
        labels: Int array `(N,)` or `(N, 1)` of classes, or `(N, classes)` of zeros and
            ones. Of one mask per concept the union of those that speak for the labels
            is taken. Where a label is -1, so not known, no mask is either, and it
            becomes empty.
        class_concepts: Boolean array `(classes, concepts)` that says which concepts
            speak for which class. Without labels or this, or where masks are of another
            number of concepts, the union of all masks is taken.
        valid: Flags `(N,)`, or `None`: masks that are not valid become empty.
        any_aspect: Whether the images were stretched, and masks are to be with them.

    Returns:
        Boolean array `(N, *size)`.

    Raises:
        ValueError: If the masks have another rank, or another aspect ratio than the
            images unless it may be any; or if labels are of another number of images or
            of classes.
    """
    masks = np.asarray(masks)
    check_masks(masks, size, any_aspect)
    if masks.ndim == 4:
        masks = _of_labels(masks, labels, class_concepts)
    # As in training, where a mask that holds NaN is not known.
    known = ~np.isnan(masks).any(axis=(1, 2), keepdims=True)
    masks = resized_masks((masks > 0.5) & known, size)
    if valid is not None:
        masks = masks & np.asarray(valid, bool).reshape(-1, 1, 1)
    return masks


def check_masks(masks, size, any_aspect=False):
    """Raises a `ValueError` if an array does not hold masks of images of a size.

    Args:
        masks: The array.
        size: Height and width of the images.
        any_aspect: Whether any aspect ratio will do.
    """
    if masks.ndim not in (3, 4):
        raise ValueError(
            "Expected masks of shape (N, H, W), or (N, H, W, K) with one per concept. "
            f"Received: masks.shape={masks.shape}"
        )
    if not any_aspect:
        check_masks_aspect(masks.shape[1:3], size)


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


def _of_labels(masks, labels, class_concepts):
    """The union of the masks that speak for each image's labels, or of all."""
    concepts = masks.shape[-1]
    is_known = class_concepts is not None and class_concepts.shape[1] == concepts
    if concepts == 1 or labels is None or not is_known:
        return masks.max(axis=-1)
    labels = standardize_labels(labels)
    classes = len(class_concepts)
    if len(labels) != len(masks) or labels.shape[1:] not in ((), (classes,)):
        raise ValueError(
            f"Expected labels of {len(masks)} images, as many as masks, and of "
            f"{classes} classes. Received: labels of shape {labels.shape}"
        )
    if labels.ndim == 1:
        labels = labels[:, None] == np.arange(classes)
    speaks = (labels > 0) @ class_concepts
    union = np.zeros_like(masks[..., 0])
    # One by one, as masks of all concepts may take much memory.
    for concept in range(concepts):
        named = speaks[:, concept]
        union[named] = np.maximum(union[named], masks[named, ..., concept])
    return union
