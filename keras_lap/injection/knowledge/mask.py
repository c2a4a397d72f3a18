"""Masks: which pixels a concept covers."""

import math

from keras import ops

from keras_lap.injection.knowledge.check_concepts import check_concepts
from keras_lap.injection.knowledge.doubt import Doubt
from keras_lap.injection.knowledge.kind import Kind
from keras_lap.injection.places.resize_area import resize_area
from keras_lap.utils.same_aspect import check_masks_aspect


def _fit(mask, layer):
    """The covered share of each of the layer's pixels, `(N, H, W, K)`."""
    unknown = layer.mask_gaps[:, None, None]
    is_of_label = _is_of_label(mask, layer)
    mask = _with_concepts(ops.clip(ops.where(ops.isnan(mask), 0, mask), 0, 1))
    mask = ops.where(unknown, 0.0, mask)
    if layer.concepts == 1:
        mask = ops.max(mask, axis=-1, keepdims=True)
    # Where accelerators round, the mean of ones may be above 1.
    mask = ops.minimum(resize_area(mask, layer.cells), 1.0)
    if not is_of_label:
        return mask
    return ops.where(layer.present[:, None, None, :] > 0, mask, 0.0)


def _is_of_label(mask, layer):
    """Whether the label says which concepts a mask is of."""
    if mask.ndim == 3:
        return True
    if 1 not in (layer.concepts, mask.shape[-1]):
        check_concepts("mask", mask.shape[-1], layer)
    return mask.shape[-1] == 1 and (layer.concepts > 1 or layer.label_is_of_classes)


def known_concepts(mask, layer):
    """Flags of the layer's concepts whose masks are known, `(N, K)`.

    What is not known of one of several is not known of their union. The mask of a
    label that is not known is of no concept.
    """
    known = ~layer.mask_gaps
    if _is_of_label(mask, layer):
        return known & (layer.present >= 0)
    if layer.concepts == 1:
        return ops.all(known, axis=-1, keepdims=True)
    return known


def nameless_masks(mask, layer):
    """Flags of masks that show something of what the label names, which is nothing.

    `None` where masks name their concepts.
    """
    if not _is_of_label(mask, layer):
        return None
    shows = _is_known(mask) & ops.any(_with_concepts(mask) > 0, axis=(1, 2, 3))
    return shows & ~ops.any(layer.present > 0, axis=-1)


def mask_gaps(mask):
    """Flags of the masks that hold NaN, and so are not known, `(N, K)`."""
    return ops.any(ops.isnan(_with_concepts(mask)), axis=(1, 2))


def _with_concepts(mask):
    return ops.expand_dims(mask, -1) if mask.ndim == 3 else mask


def _is_known(mask):
    return ~ops.all(mask_gaps(mask), axis=-1)


def _is_negative(mask):
    mask = _with_concepts(mask)
    # Not those that resizing with overshoot leaves, but -1.
    return ops.any(mask < -0.5, axis=(1, 2)) & ~mask_gaps(mask)


def _check(given, image_size):
    size = tuple(given["mask"].shape)[1:3]
    if image_size is None or None in size:
        return
    check_masks_aspect(size, image_size)


_NEGATIVE = Doubt(
    flags=_is_negative,
    message=lambda count: (
        f"Expected targets 'mask' from 0, outside, to 1. Received {count} masks with "
        "negative values, which count as outside. Where a mask is not known, say so by "
        "the flags 'valid', or, if it is one concept's of several, by NaN."
    ),
)

MASK = Kind(
    name="mask",
    shapes=(("N", "H", "W"), ("N", "H", "W", "K")),
    unknown=math.nan,
    fit=_fit,
    is_known=_is_known,
    check=_check,
    doubts=(_NEGATIVE,),
    if_ragged="resize masks, and their images, to one size in the data set",
)
