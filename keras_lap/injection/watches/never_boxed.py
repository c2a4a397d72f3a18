"""Looks for concepts that labels name and no box does."""

import numpy as np
from keras import ops

from keras_lap.injection.knowledge.boxes import boxes_there

# In so many images with boxes a concept is present before it counts as never boxed.
_IMAGES = 32


def never_boxed(loss, concepts, forward):
    """Images with boxes that show each concept, box it, or lack it, for a `Watch`.

    Only boxes that name their concepts leave out others: those of the label are of
    all that it names.

    Args:
        loss: The `BoxSupervision`.
        concepts: Number of the concepts of the layer to look at.
        forward: A `ForwardPass`.
    """
    layer = forward.layer_of(concepts)
    taken = ("boxes", "box_concepts", "present")
    if layer is None or not all(name in layer.knowledge for name in taken):
        return None
    knowledge = layer.knowledge
    exists = boxes_there(forward.knowledge.clean("boxes"))
    numbers = ops.cast(knowledge["box_concepts"], "int32")
    own = numbers[..., None] == ops.arange(concepts, dtype="int32")
    named = ops.any(own & exists[..., None], axis=1)
    labelled = ops.any((numbers < 0) & exists, axis=1)[:, None]
    present = knowledge["present"]
    is_boxed = named | (labelled & (present > 0))
    has_boxes = ops.any(exists, axis=1)[:, None]
    flags = [(present > 0) & has_boxes, is_boxed, (present == 0) & has_boxes]

    def message(counts):
        return _message(loss, *counts)

    return ops.stack(flags, axis=1), message


def _message(loss, shown, boxed, absent):
    never = (shown >= _IMAGES) & (boxed == 0) & (absent > 0)
    if loss.concepts is not None:
        never &= np.isin(np.arange(len(never)), loss.concepts)
    never = np.flatnonzero(never)
    if not len(never):
        return None
    return (
        f"The loss {loss.name!r} has seen no box of the concepts {never.tolist()}, "
        f"each of which is present in {shown[never].min()} or more images with boxes. "
        "So it only ever holds them down, where they are absent, against any other "
        "loss that is to find them. If they are not boxed, name those that are, as in "
        f"`BoxSupervision(concepts={np.flatnonzero(boxed).tolist()})`."
    )
