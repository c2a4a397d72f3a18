"""Layers that agree with each other."""

import itertools

import keras
import numpy as np
from keras import ops

from keras_lap.injection.losses.cross_layer_loss import CrossLayerLoss
from keras_lap.injection.places.overlap import TOUCHED


@keras.saving.register_keras_serializable("keras_lap")
class Consistency(CrossLayerLoss):
    """The deeper layer teaches the shallower one where its concepts are.

    With scores `S_l = sigmoid(z_l)` of consecutive LAP layers, and `O_u` the pixels of
    layer `l` that lie, if only in part, on the ground of pixel `u` of layer `l + 1`,

        mean over u and concepts of (max_{p in O_u} S_l(p) - stopgrad S_{l+1}(u))^2

    averaged over the pairs of layers. The ground of a pixel is half a stride to either
    side of its centre in the image, so where nothing but the pooling is between the
    two layers, `O_u` is its window, and where there is more, all that goes to `u` if
    convolutions spread nothing. A pixel beyond the outermost ones of layer `l` is
    compared with the nearest. If one of two layers has a single concept, it is
    compared with the highest score of the other's. This library's own design.

    It does not ask for anything to be found, so use it along with a loss, or a task,
    by which the deeper layer learns.

    Args:
        name: Name of the term in the logs.

    Call arguments:
        layers: List of `SupervisedLayer`, from shallow to deep.

    Returns:
        float32 tensor `(N,)`.

    Raises:
        ValueError: When called with less than two layers, or with consecutive ones
            of different numbers of concepts, none of them 1.

    Example:

    >>> import numpy as np
    >>> from keras_lap import losses
    >>> deep = np.array([9.0, -9.0, -9.0, 9.0]).reshape(1, 2, 2, 1)
    >>> shallow = np.full((1, 4, 4, 1), -9.0)
    >>> shallow[0, 1, 0] = 9  # one pixel of the upper left window; none elsewhere
    >>> layers = [losses.SupervisedLayer(z) for z in (shallow, deep)]
    >>> round(float(losses.Consistency()(layers)[0]), 2)
    0.25
    """

    def call(self, layers):
        if len(layers) < 2:
            raise ValueError(
                f"Expected at least two LAP layers for the loss {self.name!r}, of "
                f"which the deeper teaches the shallower. Received: {len(layers)}"
            )
        pairs = list(itertools.pairwise(layers))
        return sum(_disagreement(*pair) for pair in pairs) / len(pairs)


def _disagreement(shallow, deep):
    scores, taught = (ops.sigmoid(layer.logits) for layer in (shallow, deep))
    scores, taught = _same_concepts(scores, ops.stop_gradient(taught))
    for axis in (0, 1):
        index = _pixels_under(deep.cells[axis], shallow.cells[axis])
        # The windows, along an axis of their own behind that of the pixels.
        scores = ops.max(ops.take(scores, index, axis=axis + 1), axis=axis + 2)
    return ops.mean(ops.square(scores - taught), axis=(1, 2, 3))


def _same_concepts(one, other):
    counts = one.shape[-1], other.shape[-1]
    if counts[0] != counts[1] and 1 not in counts:
        raise ValueError(
            "Expected consecutive LAP layers of as many concepts, or with a single "
            f"one: name layers that agree in `layers`. Received: {counts} concepts"
        )
    if counts[0] == counts[1]:
        return one, other
    return (ops.max(scores, axis=-1, keepdims=True) for scores in (one, other))


def _pixels_under(cells, pixels):
    """Indices of the pixels under each cell, `(cells, most)`, the last one repeated.

    Args:
        cells: Beginnings and ends `(cells, 2)`.
        pixels: Beginnings and ends `(pixels, 2)`, in order and of one length.
    """
    xp = np
    if not all(isinstance(sides, np.ndarray) for sides in (cells, pixels)):
        # Sizes that are not known before the data.
        xp, cells, pixels = ops, *map(ops.convert_to_tensor, (cells, pixels))
    margin = TOUCHED * (pixels[0, 1] - pixels[0, 0])
    before = pixels[None, :, 1] <= cells[:, :1] + margin
    behind = pixels[None, :, 0] >= cells[:, 1:] - margin
    final = ops.shape(pixels)[0] - 1
    first = xp.minimum(xp.sum(before, axis=1), final)
    last = xp.maximum(final - xp.sum(behind, axis=1), first)
    steps = xp.arange(xp.max(last - first) + 1)
    return xp.minimum(first[:, None] + steps, last[:, None])
