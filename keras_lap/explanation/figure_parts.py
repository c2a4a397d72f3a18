"""What of an explanation goes into its figure, and what is written beside it."""

import pathlib

import numpy as np

from keras_lap.explanation.concept_positions import positions_of
from keras_lap.utils.names import some_of_many

# That many maps of one image are drawn before the strongest alone is.
_COLUMNS = 4
# That many classes of one image are named.
_CLASSES = 3


def figure_columns(explanation, concepts=None):
    """The maps to draw beside the images.

    Args:
        explanation: The `Explanation`.
        concepts: As for `Explanation.plot`.

    Returns:
        Dict from titles to maps `(N, H, W)`.

    Raises:
        ValueError: If a concept was not asked for.
    """
    if concepts is None and len(explanation.concepts) > _COLUMNS:
        columns = {"prediction": explanation.of()}
        if _have_labels_concepts(explanation):
            columns["label"] = explanation.of(explanation.labels)
        return columns
    if concepts is None:
        concepts = explanation.concepts
    positions = positions_of(explanation, concepts)
    names = [explanation.concept_names[at] for at in positions]
    return {
        f"{name} ({explanation.concepts[at]})" if names.count(name) > 1 else name: (
            explanation.maps[..., at]
        )
        for name, at in zip(names, positions, strict=True)
    }


def figure_captions(explanation):
    """What is known of each image, a list of strings, or `None` if nothing is."""
    lines = [[] for _ in range(len(explanation))]
    if explanation.files is not None:
        for line, file in zip(lines, explanation.files, strict=True):
            line.append(pathlib.Path(file).name)
    of_images = ("label", _labelled(explanation)), ("predicted", _said(explanation))
    for role, classes in of_images:
        for line, some in zip(lines, classes, strict=True):
            if some is not None:
                names = [_short(explanation, index) for index in some]
                line.append(f"{role} {some_of_many(names, _CLASSES) or 'none'}")
    return ["\n".join(line) for line in lines] if any(lines) else None


def _labelled(explanation):
    """The classes of each image, a list of lists, with `None` where none is known."""
    labels = explanation.labels
    if labels is None:
        return [None] * len(explanation)
    if labels.ndim == 1:
        return [[label] if label >= 0 else None for label in labels]
    return [np.flatnonzero(row == 1) if (row >= 0).any() else None for row in labels]


def _said(explanation):
    """The likeliest class of each image or, of several labels, what is at least even.

    A list of lists of classes, with `None` where there are no predictions.
    """
    outputs, labels = explanation.outputs, explanation.labels
    if outputs is None:
        return [None] * len(explanation)
    if labels is None or labels.ndim == 1:
        return explanation.predicted[:, None]
    least = 0 if explanation.from_logits else 0.5
    return [np.flatnonzero(row >= least) for row in outputs]


def _have_labels_concepts(explanation):
    """Whether there is a map of the concept of every label."""
    labels, speaks = explanation.labels, explanation.class_concepts
    return (
        labels is not None
        and labels.ndim == 1
        and speaks is not None
        and np.array_equal(speaks, np.eye(len(speaks)))
        and bool(np.isin(labels, explanation.concepts).all())
    )


def _short(explanation, index):
    names = explanation.class_names or ()
    return names[index] if index < len(names) else index
