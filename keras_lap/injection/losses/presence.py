"""Image labels alone as knowledge."""

import keras
from keras import ops

from keras_lap.injection.losses.knowledge_loss import KnowledgeLoss, concept_mean
from keras_lap.ops.arguments import widest_dtype

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
        if not 0 < top_fraction <= 0.5:
            raise ValueError(
                "Expected `top_fraction` in (0, 0.5], a share of the pixels. "
                f"Received: top_fraction={top_fraction}"
            )
        self.top_fraction = top_fraction

    def call(self, logits, present):
        samples, height, width, concepts = ops.shape(logits)
        maps = ops.reshape(logits, (samples, height * width, concepts))
        everywhere = ops.mean(ops.softplus(maps), axis=1)
        term = concept_mean(everywhere, ops.where(present == 0, 0, -1))
        if concepts <= _FEW:
            return term + self._of_present(maps, present)

        def of_few():
            states, index = ops.top_k(present, _FEW)
            few = ops.take_along_axis(maps, index[:, None], axis=2)
            return self._of_present(few, states)

        count = ops.max(ops.sum(ops.cast(present > 0, "int32"), axis=-1))
        return term + ops.cond(
            count <= _FEW, of_few, lambda: self._of_present(maps, present)
        )

    def _of_present(self, maps, present):
        """Mean over the present concepts; maps `(N, P, K)`, states `(N, K)`."""
        maps = ops.transpose(maps, (0, 2, 1))
        pixels = ops.shape(maps)[-1]
        top, low = _share(self.top_fraction, pixels), pixels // 2
        highest = ops.top_k(maps, top, sorted=False)[0]
        lowest = -ops.top_k(-maps, low, sorted=False)[0]
        spread = ops.sum(ops.softplus(lowest), axis=-1)
        spread = spread / ops.cast(ops.maximum(low, 1), spread.dtype)
        term = ops.mean(ops.softplus(-highest), axis=-1) + spread
        return concept_mean(term, ops.where(present > 0, 1, -1))

    def get_config(self):
        return {**super().get_config(), "top_fraction": self.top_fraction}


def _share(fraction, pixels):
    """At least one of a number of pixels, which may be a tensor."""
    if isinstance(pixels, int):
        return max(int(fraction * pixels), 1)
    return ops.maximum(
        ops.cast(fraction * ops.cast(pixels, widest_dtype()), "int32"), 1
    )
