"""How large a concept is."""

import keras
from keras import ops

from keras_lap.injection.are_in_order import are_in_order
from keras_lap.injection.losses.knowledge_loss import KnowledgeLoss, concept_mean


@keras.saving.register_keras_serializable("keras_lap")
class AreaPrior(KnowledgeLoss):
    """A present concept covers at least and at most so much of the image.

    With scores `S = sigmoid(z)` of one present concept, and their mean over the pixels,

        relu(mean S - max_area)^2 + relu(min_area - mean S)^2

    averaged over the present concepts. The bounds are those of the constructor, or,
    where the targets know an `"area"`, those of each sample and concept. Size
    constraints as a squared penalty are due to Kervadec et al. 2019 (Constrained-CNN
    losses for weakly supervised segmentation); averaging over concepts is this
    library's own design.

    The penalty is on scores, so its gradient fades where all of them are near 0 or 1.

    Args:
        min_area: Least share of the image, in `[0, 1]`, or `None` for no bound.
        max_area: Largest share of the image, in `[0, 1]`, or `None` for no bound.
            Without either, the targets must hold an `"area"`.
        name: Name of the term in the logs.

    Raises:
        ValueError: If the bounds are out of their range or order.

    Call arguments:
        logits: `(N, H, W, K)`.
        present: `(N, K)`; 1 present, 0 absent, -1 unknown.
        area: `(N, K, 2)`, the least and the largest share; a negative or NaN bound is
            unknown, and the constructor's is taken.

    Returns:
        float32 tensor `(N,)`.

    Example:

    >>> import numpy as np
    >>> from keras_lap import losses
    >>> logits = np.full((1, 4, 4, 1), -99.0)
    >>> logits[0, :2] = 99  # half of the map
    >>> present = np.ones((1, 1))
    >>> float(losses.AreaPrior(max_area=0.25)(logits, present=present)[0])
    0.0625
    >>> area = np.array([[[0.25, -1]]])  # a quarter at least
    >>> float(losses.AreaPrior()(logits, present=present, area=area)[0])
    0.0
    """

    needs = ("present",)
    accepts = ("area",)

    def __init__(self, min_area=None, max_area=None, name=None):
        super().__init__(name)
        low = 0 if min_area is None else min_area
        high = 1 if max_area is None else max_area
        if not are_in_order(0, low, high, 1):
            raise ValueError(
                "Expected shares of the image, numbers with 0 <= min_area <= max_area "
                f"<= 1. Received: min_area={min_area!r}, max_area={max_area!r}"
            )
        self.min_area = min_area
        self.max_area = max_area
        if min_area is None and max_area is None:
            self.needs, self.accepts = ("present", "area"), ()
        self._bounds = low, high

    def call(self, logits, present, area=None):
        low, high = self._bounds
        if area is not None:
            low = ops.where(area[..., 0] >= 0, area[..., 0], low)
            high = ops.where(area[..., 1] >= 0, area[..., 1], high)
        share = ops.mean(ops.sigmoid(logits), axis=(1, 2))
        term = ops.square(ops.relu(share - high)) + ops.square(ops.relu(low - share))
        return concept_mean(term, ops.where(present > 0, 1, -1))

    def get_config(self):
        bounds = {"min_area": self.min_area, "max_area": self.max_area}
        return {**super().get_config(), **bounds}
