"""Masks: which pixels a concept covers."""

from keras import ops

from keras_lap.injection.knowledge.check_concepts import check_concepts
from keras_lap.injection.knowledge.kind import Kind
from keras_lap.injection.knowledge.resize_area import resize_area
from keras_lap.same_aspect import check_masks_aspect


def _fit(mask, layer):
    """The covered share of each of the layer's pixels, `(N, H, W, K)`.

    It is -1 for a concept that has no mask, where masks name their concepts.
    """
    unknown = _has_nan(mask)
    mask = ops.where(ops.isnan(mask), 0, ops.clip(mask, 0, 1))
    is_of_label = mask.ndim == 3 or (mask.shape[-1] == 1 != layer.concepts)
    mask = _with_concepts(mask)
    if layer.concepts == 1:
        mask = ops.max(mask, axis=-1, keepdims=True)
        # What is not known of one of them is not known of their union.
        unknown = ops.any(unknown, axis=-1, keepdims=True)
    elif not is_of_label:
        check_concepts("mask", mask.shape[-1], layer)
    mask = resize_area(mask, layer.cells)
    if is_of_label:
        return mask * layer.present[:, None, None, :]
    return ops.where(unknown[:, None, None], -1.0, mask)


def _has_nan(mask):
    """Whether each mask holds NaN, `(N, K)`."""
    return ops.any(ops.isnan(_with_concepts(mask)), axis=(1, 2))


def _with_concepts(mask):
    return ops.expand_dims(mask, -1) if mask.ndim == 3 else mask


def _is_known(mask):
    return ~ops.all(_has_nan(mask), axis=-1)


def _is_negative(mask):
    return ops.any(mask < 0, axis=(1, 2))


def _check(given, image_size):
    size = tuple(given["mask"].shape)[1:3]
    if image_size is None or None in size:
        return
    check_masks_aspect(size, image_size)


MASK = Kind(
    name="mask",
    shapes=(("N", "H", "W"), ("N", "H", "W", "K")),
    unknown=0,
    fit=_fit,
    is_known=_is_known,
    check=_check,
    is_doubtful=_is_negative,
    if_doubtful="Expected targets 'mask' from 0, outside, to 1. Received {count} masks "
    "with negative values, which count as outside. Where a mask is not known, say so "
    "by the flags 'valid', or, if it is one concept's of several, by NaN.",
)
