"""What a loss across layers sees of one of them."""

from keras import ops

from keras_lap.injection.losses.stop_uncounted_gradients import stop_uncounted_gradients
from keras_lap.injection.places.even_cells import even_cells


class SupervisedLayer:
    """Concept logits of one LAP layer, where they lie, and what is known there.

    Args:
        logits: Concept logits `Z`, `(N, H, W, K)`.
        cells: Rows and columns of the image that the layer's pixels stand for, each
            an array `(pixels, 2)` of beginnings and ends as shares of the image's
            length; by default they divide it evenly.
        knowledge: Mapping from names of knowledge, as in `KnowledgeLoss.needs`, to
            tensors fitted to the layer's concepts and pixels.

    Attributes:
        logits: As given; in float32 when a loss's `call` gets it.
        cells: As given, or the even ones.
        knowledge: As given, or an empty dict.

    Example:

    >>> import numpy as np
    >>> from keras_lap import losses
    >>> rows, columns = losses.SupervisedLayer(np.zeros((1, 2, 4, 3))).cells
    >>> rows
    array([[0. , 0.5],
           [0.5, 1. ]])
    """

    def __init__(self, logits, cells=None, knowledge=None):
        self.logits = logits
        self.cells = even_cells(ops.shape(logits)[1:3]) if cells is None else cells
        self.knowledge = {} if knowledge is None else knowledge

    def in_float32(self):
        """The same layer with its logits cast."""
        return self._with(ops.cast(self.logits, "float32"))

    def stop_uncounted_gradients(self, counts):
        """The same layer with its logits as `stop_uncounted_gradients` returns them."""
        return self._with(stop_uncounted_gradients(self.logits, counts))

    def _with(self, logits):
        return SupervisedLayer(logits, self.cells, self.knowledge)
