"""Attributes of the whole image: which concepts it shows."""

from keras import ops

from keras_lap.injection.knowledge.check_concepts import check_concepts
from keras_lap.injection.knowledge.kind import Kind


def _fit(concepts, layer):
    """1 present, 0 absent, -1 unknown, `(N, K)`."""
    state = ops.where(concepts >= 0, ops.cast(concepts >= 0.5, "float32"), -1.0)
    if layer.concepts == 1:
        # One of them is there, or none is; else it is open.
        highest = ops.max(state, axis=-1, keepdims=True)
        lowest = ops.min(state, axis=-1, keepdims=True)
        return ops.where(highest > 0, highest, lowest)
    check_concepts("concepts", concepts.shape[-1], layer)
    return state


CONCEPTS = Kind(
    name="concepts",
    shapes=(("N", "K"),),
    unknown=-1,
    fit=_fit,
    is_known=lambda concepts: ops.any(concepts >= 0, axis=-1),
)
