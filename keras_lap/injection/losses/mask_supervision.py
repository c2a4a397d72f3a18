"""Masks as knowledge: where a concept is, and where it is not."""

import keras
from keras import ops

from keras_lap.injection.losses.knowledge_loss import (
    KnowledgeLoss,
    concept_mean,
    masked_mean,
)
from keras_lap.utils.names import check_choice

# Accelerators multiply float32 in fewer digits, TPUs in those of bfloat16: a pixel that
# a mask covers has a share as far from 1 when the mask has been resized.
_ROUNDING = 2**-7


@keras.saving.register_keras_serializable("keras_lap")
class MaskSupervision(KnowledgeLoss):
    """Scores follow a mask, or at least stay out of what lies outside of it.

    With logits `z`, scores `s = sigmoid(z)` and the covered share `m` in `[0, 1]`
    of each pixel, per concept,

        mode="full":    mean_{inside} softplus(-z) + mean_{outside} softplus(z)
                        + 1 - 2 sum(s m) / (sum(s) + sum(m))
        mode="outside": mean softplus(z) over the pixels with m = 0

    averaged over the concepts with a mask and, apart from them, over those without,
    for which the outside term is left. The means inside and outside are weighted by
    `m` and `1 - m`, so that a small object counts as much as a large background; one
    of less than a ten-thousandth of the map counts in proportion. A pixel of which a
    mask leaves less than a 128th counts as covered: resizing on accelerators rounds as
    much. Cross-entropy and Dice (Milletari et al. 2016) are standard; balancing and the
    outside term are this library's own design.

    The scores here are `sigmoid(z)`, whatever `score_activation` the layer has.

    Args:
        mode: `"full"` or `"outside"`.
        name: Name of the term in the logs.

    Raises:
        ValueError: If `mode` is unknown.

    Call arguments:
        logits: `(N, H, W, K)`.
        mask: `(N, H, W, K)`, the share in `[0, 1]` of each pixel that the concept
            covers.
        mask_known: `(N, K)`, flags of the concepts of which that is known; the others
            are left out. By default all are.

    Returns:
        float32 tensor `(N,)`.

    Example:

    >>> import numpy as np
    >>> from keras_lap import losses
    >>> mask = np.zeros((1, 4, 4, 1))
    >>> mask[0, 1:3, 1:3] = 1
    >>> right, wrong = 9 * (2 * mask - 1), 9 * (1 - 2 * mask)
    >>> loss = losses.MaskSupervision()
    >>> bool(loss(right, mask=mask)[0] < 0.001 < 9 < loss(wrong, mask=mask)[0])
    True
    """

    needs = ("mask",)
    accepts = ("mask_known",)

    def __init__(self, mode="full", name=None):
        super().__init__(name)
        check_choice("mode", mode, ("full", "outside"))
        self.mode = mode

    def call(self, logits, mask, mask_known=None):
        present = ops.sign(ops.max(mask, axis=(1, 2)))
        if mask_known is not None:
            present = ops.where(mask_known, present, -1.0)
        if self.mode == "outside":
            outside = ops.cast(mask == 0, logits.dtype)
            return concept_mean(masked_mean(ops.softplus(logits), outside), present)
        mask = ops.where(mask > 1 - _ROUNDING, 1.0, mask)
        term = masked_mean(ops.softplus(-logits), mask)
        term = term + masked_mean(ops.softplus(logits), 1 - mask)
        return concept_mean(term + _dice_loss(ops.sigmoid(logits), mask), present)

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


def _dice_loss(scores, mask):
    """`1 - Dice`, `(N, K)`; zero for an empty mask, which nothing can overlap."""
    covered = ops.sum(mask, axis=(1, 2))
    overlap = 2 * ops.sum(scores * mask, axis=(1, 2))
    total = ops.sum(scores, axis=(1, 2)) + covered
    empty = covered <= 0
    return ops.where(empty, 0.0, 1 - overlap / ops.where(empty, 1.0, total))
