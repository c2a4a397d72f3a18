"""Boxes: a concept lies inside of them and reaches all four of their sides."""

from keras import ops

from keras_lap.injection.knowledge.doubt import Doubt, no_shares
from keras_lap.injection.knowledge.kind import Kind
from keras_lap.utils.float_dtypes import widest_dtype
from keras_lap.utils.odd_boxes import are_reversed


def _fit(boxes, layer):
    """Boxes relative to the layer's map, `(N, M, 4)`.

    They may reach beyond the map, or lie off it.
    """
    boxes = ops.clip(boxes, 0, 1)
    dtype = widest_dtype()
    sides = [ops.cast(cells, dtype) for cells in layer.cells]
    begin = ops.stack([cells[0, 0] for cells in sides] * 2)
    end = ops.stack([cells[-1, 1] for cells in sides] * 2)
    return ops.cast((ops.cast(boxes, dtype) - begin) / (end - begin), "float32")


def boxes_there(boxes):
    """Flags of what is no padding, `(N, M)`."""
    top, left, bottom, right = ops.unstack(ops.clip(boxes, 0, 1), 4, axis=-1)
    return ops.logical_and(top < bottom, left < right)


def _is_known(boxes):
    return ops.any(boxes_there(boxes), axis=-1)


def nameless_boxes(boxes, numbers, layer):
    """Flags of images with boxes of what the label names, which names nothing.

    Args:
        boxes: `(N, M, 4)`.
        numbers: `(N, M)`, concepts of the boxes, or `None` if all are the label's.
        layer: The `LayerKnowledge`.
    """
    exists = boxes_there(boxes)
    if numbers is not None:
        exists = exists & (numbers < 0)
    return ops.any(exists, axis=-1) & ~ops.any(layer.present > 0, axis=-1)


_REVERSED = Doubt(
    flags=are_reversed,
    message=lambda count: (
        "Expected targets 'boxes' as top, left, bottom, right. Received "
        f"{count} boxes that end above their top or left of their left side, which "
        "count as padding. Boxes of centres or of widths and heights are converted by "
        '`keras.utils.bounding_boxes.convert_format(boxes, ..., "rel_yxyx", height, '
        "width)`; padding is -1."
    ),
)

BOXES = Kind(
    name="boxes",
    shapes=(("N", "M", 4),),
    unknown=-1,
    fit=_fit,
    is_known=_is_known,
    doubts=(
        no_shares(
            "boxes",
            "Boxes in pixels are cut off at the edges of the image, which leaves all "
            "of it or nothing of them: convert them to top, left, bottom, right as "
            "shares of the image, by `keras.utils.bounding_boxes.convert_format("
            'boxes, ..., "rel_yxyx", height, width)`.',
        ),
        _REVERSED,
    ),
)
