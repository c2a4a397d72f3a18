"""Which concept each box belongs to."""

from keras import ops

from keras_lap.injection.knowledge.boxes import boxes_there
from keras_lap.injection.knowledge.kind import Kind


def _fit(numbers, layer):
    """The concept of the layer that each box belongs to, `(N, M)`, or -1."""
    return ops.minimum(numbers, 0) if layer.concepts == 1 else numbers


def numbers_of_boxes(numbers, boxes):
    """The numbers as they are, -1 for padding."""
    return ops.where(boxes_there(boxes), numbers, -1.0)


def _check(given, _):
    shape, boxes = tuple(given["box_concepts"].shape), given.get("boxes")
    if boxes is None:
        raise ValueError(
            "Expected 'box_concepts' along with the 'boxes' they belong to. Received "
            "targets without boxes."
        )
    if None not in (shape[1], boxes.shape[1]) and shape[1] != boxes.shape[1]:
        raise ValueError(
            f"Expected one of 'box_concepts' per box, {boxes.shape[1]}. "
            f"Received shape: {shape}"
        )


BOX_CONCEPTS = Kind(
    name="box_concepts", shapes=(("N", "M"),), unknown=-1, fit=_fit, check=_check
)
