"""Image labels alone as knowledge."""

import keras
from keras import ops

from keras_lap.injection.losses.highest_pixels import (
    at_least_one,
    check_top_fraction,
    height_of_highest,
    mean_above,
    pixel_count,
    pixels_in_a_row,
)
from keras_lap.injection.losses.knowledge_loss import KnowledgeLoss, concept_mean

# With more concepts than this, the present ones are gathered if they are no more.
_FEW = 8


@keras.saving.register_keras_serializable("keras_lap")
class Presence(KnowledgeLoss):
    """A present concept is somewhere, but not everywhere; an absent one is nowhere.

    With `z` the logits of one concept over the `P` pixels of one sample,

        present: mean softplus(-z) over the `top_fraction * P` highest pixels
                 + mean softplus(z) over the lowest half
        absent:  mean softplus(z) over all pixels
        unknown: 0

    averaged over the present concepts and, apart from them, over the absent ones.
    Numbers of pixels are rounded down; a map of one pixel has no lowest half.
    This library's own design.

    The loss takes `sigmoid(z)` for the scores, whatever `score_activation` the layer
    has.

    Args:
        top_fraction: Share of the pixels that a present concept must at least
            cover, in `(0, 0.5]`; at least one pixel is taken.
        name: Name of the term in the logs.

    Raises:
        ValueError: If `top_fraction` is out of its range.

    Call arguments:
        logits: `(N, H, W, K)`.
        present: `(N, K)`; 1 present, 0 absent, -1 unknown.

    Returns:
        float32 tensor `(N,)`.

    Example:

    >>> import numpy as np
    >>> from keras_lap import losses
    >>> logits = np.full((1, 4, 4, 2), -9.0)
    >>> logits[0, 1, 2, 0] = 9.0
    >>> float(losses.Presence()(logits, present=np.array([[1, 0]]))[0]) < 0.001
    True
    """

    needs = ("present",)

    def __init__(self, top_fraction=0.05, name=None):
        super().__init__(name)
        check_top_fraction(top_fraction)
        self.top_fraction = top_fraction

    def call(self, logits, present):
        maps = pixels_in_a_row(logits)
        pixels = ops.shape(maps)[1]
        top, low = pixel_count(self.top_fraction, pixels), pixels // 2
        everywhere = ops.mean(ops.softplus(maps), axis=1)
        absent = concept_mean(everywhere, ops.where(present == 0, 0, -1))
        highest, lowest = _bounds(ops.stop_gradient(maps), present, top, low)
        somewhere = mean_above(highest, maps, top, ops.softplus(-maps))
        not_everywhere = mean_above(-lowest, -maps, low, ops.softplus(maps))
        found = concept_mean(somewhere + not_everywhere, ops.where(present > 0, 1, -1))
        return absent + found

    def get_config(self):
        return {**super().get_config(), "top_fraction": self.top_fraction}


def _bounds(maps, present, top, low):
    """The lowest of the `top` highest, and the highest of the `low` lowest values.

    Where few concepts are present in any sample, those of the others are not looked
    for. What is chosen here has no gradient: XLA cannot differentiate a choice between
    branches on batches of unknown size.

    Args:
        maps: `(N, P, K)`.
        present: `(N, K)`.
        top: Number of pixels.
        low: Number of pixels; none counts as one.

    Returns:
        Two tensors `(N, 1, K)`, of any value for the concepts that are not looked for.
    """

    def of_all(maps):
        lowest = -height_of_highest(-maps, at_least_one(low))
        return ops.stack([height_of_highest(maps, top), lowest])

    def of_few():
        index = ops.top_k(present, _FEW)[1]
        few = of_all(ops.take_along_axis(maps, index[:, None], axis=2))
        chosen = ops.one_hot(index, maps.shape[-1], dtype=maps.dtype)
        return ops.sum(ops.where(chosen > 0, few[..., None], 0), axis=2)

    if maps.shape[-1] <= _FEW:
        bounds = of_all(maps)
    else:
        count = ops.max(ops.sum(ops.cast(present > 0, "int32"), axis=-1))
        bounds = ops.cond(count <= _FEW, of_few, lambda: of_all(maps))
    return bounds[0][:, None], bounds[1][:, None]
