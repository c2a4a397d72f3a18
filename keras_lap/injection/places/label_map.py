"""Where, by its LAP layers, a model saw what an image is labelled with."""

import functools

from keras import ops

from keras_lap.injection.places.place_on_image import place_on_image
from keras_lap.utils.float_dtypes import compute_dtype

# Smaller scores count as this, and have no gradient: that of a root is infinite at 0.
_SMALLEST = 1e-12


def label_map(layers, size):
    """One map per image of what its label says is present.

    In each layer the map is the highest of the scores `S = sigmoid(z)` of the concepts
    that are present, placed on the image as `explain` does. Over the layers that know
    a present concept it is the geometric mean, which for a single concept is
    `explain(combine="product")`, as long as the layers' scores are sigmoids.

    Args:
        layers: Non-empty list of `SupervisedLayer`, whose knowledge holds `"present"`.
        size: Height and width of the image, integers or scalar tensors.

    Returns:
        A tuple: the maps `(N, height, width, 1)` in `[0, 1]`, of a dtype of 32 bits or
        more, and `(N,)`, 1 for those images of which any layer knows a present
        concept, else 0. The maps of the others are 1 everywhere.
    """
    present = [layer.knowledge["present"] > 0 for layer in layers]
    known = ops.stack([ops.any(state, axis=-1) for state in present])
    placed = [
        place_on_image(_highest(layer.logits, state), layer.cells, size)
        for layer, state in zip(layers, present, strict=True)
    ]
    known = ops.cast(known, placed[0].dtype)
    exponents = known / ops.maximum(ops.sum(known, axis=0), 1)
    # Roots first: a product of many small scores would be rounded to zero.
    roots = [
        ops.power(ops.clip(scores, _SMALLEST, 1), exponents[i][:, None, None, None])
        for i, scores in enumerate(placed)
    ]
    return functools.reduce(ops.multiply, roots), ops.max(known, axis=0)


def _highest(logits, present):
    """The highest score of the present concepts, `(N, h, w, 1)`; 0 without any."""
    scores = ops.sigmoid(ops.cast(logits, compute_dtype(logits.dtype)))
    scores = ops.where(present[:, None, None], scores, 0.0)
    return ops.max(scores, axis=-1, keepdims=True)
