"""Labels of images, brought into one form."""

from collections.abc import Mapping

import numpy as np

# How far probabilities of half precision may be from adding up to one.
_ROUNDING = 1e-2


def standardize_labels(labels, predictions=None):
    """Labels as integers.

    Args:
        labels: Array of whole numbers: `(N,)` or `(N, 1)` indices of classes, or
            `(N, classes)` zeros and ones; -1 or NaN where one is not known. Or `None`.
        predictions: What the model makes of the images, `(N, classes)`, if it is known.

    Returns:
        Int64 array, or `None`: `(N,)`, or `(N, classes)` where an image may have
        several labels; -1 where one is not known. One-hot labels become indices if the
        model's outputs are probabilities of classes that exclude each other.

    Raises:
        ValueError: If the shape or the values are other ones.
    """
    if labels is None:
        return None
    given = _with_unknown(labels)
    if not _are_whole(given):
        raise ValueError(
            "Expected labels as whole numbers, (N,) or (N, classes). Received: labels "
            f"of shape {given.shape} and dtype {given.dtype}. Names become numbers in "
            "the order of the model's outputs; targets of other kinds go into a dict, "
            'as {"label": labels, "mask": masks}, or are left out.'
        )
    given = given.astype(np.int64, copy=False)
    is_one_hot = given.ndim == 2 and _is_one_hot(given)
    return given.argmax(axis=1) if is_one_hot and _exclude(predictions) else given


def are_classes(labels):
    """Whether labels are some that `standardize_labels` takes."""
    return labels is None or _are_whole(_with_unknown(labels))


def are_of_outputs(labels, images):
    """Whether labels are those of several outputs, each of its own.

    Args:
        labels: Labels of any form: for several outputs a dict, or a list or tuple of
            arrays, each with as many rows as there are images.
        images: What they belong to, of shape `(H, W, C)` or `(N, H, W, C)`.
    """
    if not isinstance(labels, list | tuple) or not labels:
        return isinstance(labels, Mapping)
    rows = tuple(np.shape(images)[:-3])
    return all(
        hasattr(part, "shape") and tuple(part.shape[: len(rows)]) == rows
        for part in labels
    )


def single_labels(labels):
    """Labels as classes where each image has exactly one, as `standardize_labels`."""
    if labels is None or labels.ndim == 1:
        return labels
    # Zeros and ones are probabilities too, which tell that classes exclude each other.
    return standardize_labels(labels, predictions=labels)


def check_labels(labels, predictions):
    """Raises a `ValueError` if there are labels of classes that a model does not have.

    Args:
        labels: Array `(N,)` or `(N, 1)` of indices, or `(N, classes)`; or `None`.
        predictions: What the model makes of some images, `(n, classes)`, or `None`. A
            single column is let pass: it may be a number that is no class.
    """
    if labels is None or predictions is None or predictions.shape[-1] == 1:
        return
    classes = predictions.shape[-1]
    if np.shape(labels)[1:] not in ((), (1,), (classes,)):
        raise ValueError(
            f"Expected labels (N,), or (N, {classes}) for the {classes} classes that "
            f"the model predicts. Received: labels of shape {np.shape(labels)}"
        )
    highest = np.max(labels, initial=0)
    if highest >= classes:
        raise ValueError(
            f"Expected labels from 0 to {classes - 1}, of the {classes} classes that "
            f"the model predicts. Received: a label {highest}"
        )


def _with_unknown(labels):
    """Labels as an array, without a last axis of 1, and with -1 in the place of NaN."""
    given = np.asarray(labels)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    return np.where(np.isnan(given), -1, given) if given.dtype.kind == "f" else given


def _are_whole(values):
    """Whether an array holds whole numbers, `(N,)` or `(N, classes)`."""
    if values.ndim not in (1, 2) or values.dtype.kind not in "biuf":
        return False
    return values.dtype.kind != "f" or bool((values == np.rint(values)).all())


def _is_one_hot(values):
    return bool(((values == 1).sum(axis=1) == 1).all() and (values**2 == values).all())


def _exclude(predictions):
    return (
        predictions is not None
        and predictions.shape[-1] > 1
        and bool((predictions >= 0).all())
        and bool((abs(predictions.sum(axis=-1) - 1) < _ROUNDING).all())
    )
