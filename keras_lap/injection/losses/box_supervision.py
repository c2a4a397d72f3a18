"""Boxes as knowledge: where a concept is, and how far it reaches."""

import keras
import numpy as np
from keras import ops

from keras_lap.injection.losses.check_numbers import check_numbers
from keras_lap.injection.losses.knowledge_loss import (
    KnowledgeLoss,
    concept_mean,
    masked_mean,
)
from keras_lap.injection.places.overlap import TOUCHED, overlap

_NOWHERE = -1e30


@keras.saving.register_keras_serializable("keras_lap")
class BoxSupervision(KnowledgeLoss):
    """Scores stay inside of tight boxes and reach all four of their sides.

    With logits `z` of the concept of a box,

        outside:   mean softplus(z) over the pixels that none of its boxes touches
        tightness: 1/2 mean_y softplus(-max_x z) + 1/2 mean_x softplus(-max_y z)

    where `y` goes over the rows and `x` over the columns that cross the box, the
    maxima are over its pixels, and a row or column that the box covers in part counts
    in proportion. A concept's term is its outside plus the mean tightness of its
    boxes. Terms are averaged over the concepts with boxes and, apart from them, over
    the absent ones, for which the outside is the whole map. A concept that is
    present, but has no box in an image, is left out: it may be anywhere. So one that
    is never boxed is only ever held down. If another loss is to find it, leave it out
    of `concepts` here.

    That every line across a tight box meets the object follows from the prior of
    Lempitsky et al. 2009. Hsu et al. 2019 made a loss of it, in which each line is a
    bag of pixels that its best one stands for; BoxInst (Tian et al. 2021) compares
    the same maxima by Dice. Weighing by area, and an outside term over pixels, not
    lines, are this library's own design.

    In `fit`, a box of no concept of its own belongs to the concepts that the label
    makes present. If there are several, each must stay inside of such boxes, and a
    line across one must meet any of them, for it is not known whose it is. A
    layer with a single concept learns the boxes of all concepts together.

    Boxes of another format are converted beforehand, by
    `keras.utils.bounding_boxes.convert_format(boxes, "xywh", "rel_yxyx", height,
    width)` for example; padding stays padding.

    The scores here are `sigmoid(z)`, whatever `score_activation` the layer has.

    Args:
        concepts: List of the numbers of the concepts that are boxed, to leave the
            others alone, or `None` for all. In a layer with a single concept it does
            not count.
        name: Name of the term in the logs.

    Raises:
        ValueError: If `concepts` is empty or holds anything but such numbers, or, when
            called, if the layer lacks one of them.

    Call arguments:
        logits: `(N, H, W, K)`.
        boxes: `(N, M, 4)`, top, left, bottom, right as shares of the map. What is
            outside of `[0, 1]` is cut off; what has no area then is padding.
        present: `(N, K)`; 1 present, 0 absent, -1 unknown, as all are by default.
        box_concepts: `(N, M)`, the number of each box's concept, or -1 for boxes of
            the concepts that are present; without it all are. Boxes of concepts that
            are not in the layer are left out. One of the two has to be given.

    Returns:
        float32 tensor `(N,)`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_lap import losses
    >>> boxes = np.array([[[2.0, 1.0, 3.0, 2.0], [-1, -1, -1, -1]]])  # x, y, w, h
    >>> boxes = keras.utils.bounding_boxes.convert_format(
    ...     boxes, "xywh", "rel_yxyx", height=8, width=8
    ... )
    >>> right, half = np.full((2, 1, 8, 8, 1), -9.0)
    >>> right[0, 1:3, 2:5], half[0, 1:3, 2:4] = 9, 9
    >>> loss, present = losses.BoxSupervision(), np.ones((1, 1))
    >>> [round(float(loss(z, boxes=boxes, present=present)[0])) for z in (right, half)]
    [0, 2]
    """

    needs = ("boxes",)
    accepts = ("present", "box_concepts")

    def __init__(self, concepts=None, name=None):
        super().__init__(name)
        self.concepts = None if concepts is None else _standardize_concepts(concepts)

    def told_in_layer(self, knowledge):
        # A box of what the label names has no concept where it names nothing.
        names = [name for name in self.accepts if name in knowledge]
        known = [ops.any(knowledge[name] >= 0, axis=-1) for name in names]
        return ops.any(ops.stack(known), axis=0) if known else None

    def call(self, logits, boxes, present=None, box_concepts=None):
        if present is None:
            present = _no_labels(logits, box_concepts)
        boxed = self._boxed(logits.shape[-1])
        present = ops.where(boxed, present, -1)
        _, height, width, _ = ops.shape(logits)
        top, left, bottom, right = ops.unstack(ops.clip(boxes, 0, 1), 4, axis=-1)
        rows = _covered(top, bottom, height)
        columns = _covered(left, right, width)
        if box_concepts is None:
            box_concepts = ops.full_like(top, -1)
        numbers = ops.cast(box_concepts, "int32")
        owners = _owners(rows, columns, present, numbers)
        owners = ops.where(boxed, owners, 0)
        best = _best_owner(logits, present, numbers)
        missed = _missed(best, rows, columns[:, None], axis=2)
        missed = missed + _missed(best, columns, rows[:, :, None], axis=1)
        count = ops.sum(owners, axis=1)
        tightness = ops.sum(missed[..., None] / 2 * owners, axis=1)
        term = tightness / ops.maximum(count, 1)
        outside = _outside(rows, columns, owners)
        term = term + masked_mean(ops.softplus(logits), outside)
        without_box = ops.where(present == 0, 0, -1)
        return concept_mean(term, ops.where(count > 0, 1, without_box))

    def _boxed(self, count):
        """Flags of which of a layer's concepts are boxed, `(K,)`."""
        if self.concepts is None or count == 1:
            return np.ones(count, "bool")
        check_numbers("concepts", self.concepts, self.concepts[-1], count)
        return np.isin(np.arange(count), self.concepts)

    def get_config(self):
        return {**super().get_config(), "concepts": self.concepts}


def _standardize_concepts(concepts):
    """Sorted list of numbers, each once."""
    try:
        found = np.sort(concepts)
    except (TypeError, ValueError):  # what is no array, or cannot be sorted
        found = np.empty(0)
    is_fit = found.ndim == 1 and found.size and found.dtype.kind in "iu"
    if not is_fit or found[0] < 0:
        raise ValueError(
            "Expected `concepts` to be a list of numbers of concepts, as in [0, 2]. "
            f"Received: concepts={concepts!r}"
        )
    return np.unique(found).tolist()


def _no_labels(logits, box_concepts):
    """What is present where no label says so, `(N, K)`."""
    if box_concepts is None:
        raise ValueError(
            "Expected a model with one output, whose label names the concepts of the "
            "boxes, or the concept of each box, as 'box_concepts' (N, M). Received "
            "neither."
        )
    return ops.full_like(logits[:, 0, 0], -1)


def _covered(begin, end, count):
    """Share of each of `count` pixels between two places, `(N, count, M)`."""
    pixels = ops.cast(ops.arange(count), begin.dtype)[:, None]
    begin, end = (
        place[:, None] * ops.cast(count, begin.dtype) for place in (begin, end)
    )
    return overlap(begin, end, pixels)


def _owners(rows, columns, present, numbers):
    """1 where a box belongs to a concept, else 0, `(N, M, K)`."""
    own = numbers[..., None] == ops.arange(present.shape[-1], dtype="int32")
    owners = ops.where(numbers[..., None] < 0, present[:, None] > 0, own)
    exists = ops.logical_and(ops.any(rows > 0, axis=1), ops.any(columns > 0, axis=1))
    return ops.cast(ops.logical_and(owners, exists[..., None]), rows.dtype)


def _best_owner(logits, present, numbers):
    """The highest of the logits of each box's concepts, `(N, H, W, M)`."""
    shown = ops.where(present[:, None, None] > 0, logits, _NOWHERE)
    best = ops.max(shown, axis=-1, keepdims=True)
    numbers = ops.minimum(numbers, logits.shape[-1] - 1)[:, None, None]
    own = ops.take_along_axis(logits, ops.maximum(numbers, 0), axis=-1)
    return ops.where(numbers < 0, best, own)


def _missed(best, covered, across, axis):
    """Mean of `softplus(-max)` over the lines across each box, `(N, M)`."""
    highest = ops.max(ops.where(across > 0, best, _NOWHERE), axis=axis)
    missed = ops.sum(ops.softplus(-highest) * covered, axis=1)
    return missed / ops.maximum(ops.sum(covered, axis=1), TOUCHED)


def _outside(rows, columns, owners):
    """1 where a pixel is in none of a concept's boxes, else 0, `(N, H, W, K)`."""
    dtype = owners.dtype
    rows, columns = ops.cast(rows > 0, dtype), ops.cast(columns > 0, dtype)
    boxes = ops.einsum("nym,nxm,nmk->nyxk", rows, columns, owners)
    return ops.cast(boxes == 0, dtype)
