"""Concepts that are never at the same place."""

import keras
import numpy as np
from keras import ops

from keras_lap.injection.losses.check_numbers import check_numbers
from keras_lap.injection.losses.knowledge_loss import KnowledgeLoss


@keras.saving.register_keras_serializable("keras_lap")
class Exclusivity(KnowledgeLoss):
    """No pixel belongs to two concepts that exclude each other.

    With scores `S = sigmoid(z)`,

        mean over pixels of sum over pairs j < k of S_j S_k

    It is zero where one concept alone, or none, has a pixel, so it asks for nothing
    to be there; use it along with a loss that does. In a layer with a single concept
    there are no pairs, and the term is zero. This library's own design.

    Args:
        pairs: List of pairs of numbers of concepts that exclude each other, or `None`
            for all pairs.
        name: Name of the term in the logs.

    Raises:
        ValueError: If `pairs` is empty or does not consist of pairs of two different
            concepts, or, when called, if the layer lacks one of the concepts.

    Call arguments:
        logits: `(N, H, W, K)`.

    Returns:
        float32 tensor `(N,)`.

    Example:

    >>> import numpy as np
    >>> from keras_lap import losses
    >>> logits = np.full((1, 2, 2, 3), -99.0)
    >>> logits[0, 0, :, 0] = 99  # two pixels of the first concept
    >>> logits[0, 0, 0, 2] = 99  # one of them of the third as well
    >>> float(losses.Exclusivity()(logits)[0])
    0.25
    >>> float(losses.Exclusivity(pairs=[(0, 1)])(logits)[0])
    0.0
    """

    def __init__(self, pairs=None, name=None):
        super().__init__(name)
        self.pairs = None if pairs is None else _standardize_pairs(pairs)

    def call(self, logits):
        scores, concepts = ops.sigmoid(logits), logits.shape[-1]
        if self.pairs is None or concepts == 1:
            # Each pair twice. A sum is never less than a summand, even when rounded.
            others = ops.sum(scores, axis=-1, keepdims=True) - scores
            shared = scores * others / 2
        else:
            first, second = zip(*self.pairs, strict=True)
            check_numbers("pairs", self.pairs, max(second), concepts)
            first, second = (ops.take(scores, of, axis=-1) for of in (first, second))
            shared = first * second
        return ops.mean(ops.sum(shared, axis=-1), axis=(1, 2))

    def get_config(self):
        return {**super().get_config(), "pairs": self.pairs}


def _standardize_pairs(pairs):
    """Sorted lists `[j, k]` with `j < k`, each once."""
    try:
        found = np.sort(np.array(pairs))
    except (TypeError, ValueError):  # what cannot be sorted, or is no array
        found = np.empty(0)
    is_fit = found.ndim == 2 and found.shape[1] == 2 and found.dtype.kind in "iu"
    if not is_fit or found.min() < 0 or np.any(found[:, 0] == found[:, 1]):
        raise ValueError(
            "Expected `pairs` to be a list of pairs of two different concepts, as in "
            f"[(0, 1), (0, 2)]. Received: pairs={pairs!r}"
        )
    return np.unique(found, axis=0).tolist()
