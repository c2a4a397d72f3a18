"""One class per image to ask for, and the mask of it."""

import numpy as np

_HALF = 127


def first_labels(labels):
    """The label of each image, of several the one with the lowest number."""
    return labels if labels.ndim == 1 else labels.argmax(axis=1)


def right_answers(labels, *predicted):
    """Classes that all networks give, and rightly so.

    Args:
        labels: int `(N,)`, or zeros and ones `(N, classes)`.
        *predicted: Probabilities `(N, classes)` of each network.

    Returns:
        int `(N,)`: the label, or of several labels the one that the networks together
        are surest of; -1 where one of the networks is wrong.
    """
    if labels.ndim == 1:
        answers = [probabilities.argmax(axis=-1) for probabilities in predicted]
        return np.where(np.all(np.equal(answers, labels), axis=0), labels, -1)
    least = np.min(predicted, axis=0) * labels
    return np.where(least.max(axis=1) > 0.5, least.argmax(axis=1), -1)


def masks_of(masks, targets):
    """The mask of one class per image, bool `(N, H, W)`.

    Args:
        masks: uint8 `(N, H, W)` or, with one per class, `(N, H, W, classes)`.
        targets: int `(N,)`.
    """
    if masks.ndim == 4:
        masks = masks[np.arange(len(masks)), ..., targets]
    return masks > _HALF
