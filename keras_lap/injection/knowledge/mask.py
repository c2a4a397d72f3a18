"""Masks: which pixels a concept covers."""

from keras import ops

from keras_lap.injection.knowledge.check_concepts import check_concepts
from keras_lap.injection.knowledge.kind import Kind
from keras_lap.injection.knowledge.resize_area import resize_area
from keras_lap.same_aspect import check_masks_aspect


def _fit(mask, layer):
    """The covered share of each of the layer's pixels, `(N, H, W, K)`."""
    mask = ops.where(ops.isnan(mask), 0, ops.clip(mask, 0, 1))
    is_of_label = mask.ndim == 3 or (mask.shape[-1] == 1 != layer.concepts)
    if mask.ndim == 3:
        mask = ops.expand_dims(mask, -1)
    if layer.concepts == 1:
        mask = ops.max(mask, axis=-1, keepdims=True)
    elif not is_of_label:
        check_concepts("mask", mask.shape[-1], layer)
    mask = resize_area(mask, layer.cells)
    if is_of_label:
        mask = mask * layer.present[:, None, None, :]
    return mask


def _is_known(mask):
    return ~ops.any(ops.isnan(mask), axis=tuple(range(1, mask.ndim)))


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
)
