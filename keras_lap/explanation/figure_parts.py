"""What of an explanation goes into its figure, and what is written beside it."""

import pathlib

import numpy as np

from keras_lap.explanation.concept_positions import positions_of

# That many maps of one image are drawn before the strongest alone is.
_COLUMNS = 4


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
    if explanation.labels is not None and explanation.labels.ndim == 1:
        for line, label in zip(lines, explanation.labels, strict=True):
            if label >= 0:
                line.append(f"label {_short(explanation, label)}")
    if explanation.predictions is not None:
        for line, index in zip(lines, explanation.predicted, strict=True):
            line.append(f"predicted {_short(explanation, index)}")
    return ["\n".join(line) for line in lines] if any(lines) else None


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
