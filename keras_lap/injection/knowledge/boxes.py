"""Boxes: a concept lies inside of them and reaches all four of their sides."""

from keras import ops

from keras_lap.injection.knowledge.kind import Kind
from keras_lap.injection.knowledge.no_share import NO_SHARES, is_no_share
from keras_lap.ops.arguments import widest_dtype


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


def _is_known(boxes):
    top, left, bottom, right = ops.unstack(ops.clip(boxes, 0, 1), 4, axis=-1)
    return ops.any(ops.logical_and(top < bottom, left < right), axis=-1)


BOXES = Kind(
    name="boxes",
    shapes=(("N", "M", 4),),
    unknown=-1,
    fit=_fit,
    is_known=_is_known,
    is_doubtful=is_no_share,
    if_doubtful=NO_SHARES.format(
        name="boxes",
        advice="Boxes in pixels are cut off at the edges of the image, which leaves "
        "all of it or nothing of them: convert them to top, left, bottom, right as "
        "shares of the image, by `keras.utils.bounding_boxes.convert_format("
        'boxes, ..., "rel_yxyx", height, width)`.',
    ),
)
