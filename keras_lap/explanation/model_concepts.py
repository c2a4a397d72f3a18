"""Which concepts a model has: what they are called, and what they speak for."""

import numpy as np

from keras_lap.classifier.class_outputs import check_class_names
from keras_lap.utils.class_concepts import class_concept_flags


def model_concepts(seen, class_concepts=None, concept_names=None, class_names=None):
    """Which concepts speak for which class, and the names of all concepts.

    Args:
        seen: A `ReadPass` of the model.
        class_concepts: As `standardize_class_concepts` returns it. By default concept
            `k` speaks for class `k` where there are as many of both, and a single one
            for class 1 of a single output.
        concept_names: List of their names. By default that of a class for the concept
            that speaks for it, if it speaks for no other and is its only one, and
            otherwise `"concept 3"`.
        class_names: List of the names of the classes, or `None`.

    Returns:
        A tuple: a boolean array `(classes, concepts)`, or `None` if it is not known;
        and a list of strings.

    Raises:
        ValueError: If names or concepts are not as many as the model has.
    """
    count, classes = seen.reader.count, seen.classes
    if class_concepts is None:
        speaks = _one_for_each(count, seen)
    else:
        speaks = class_concept_flags(class_concepts, classes, count, of="the model")
    check_class_names(class_names, classes if speaks is None else len(speaks))
    if concept_names is None:
        return speaks, _names(count, class_names, speaks)
    if len(concept_names) != count:
        raise ValueError(
            f"Expected {count} `concept_names`, one per concept of the model. "
            f"Received: {len(concept_names)}"
        )
    return speaks, list(concept_names)


def _one_for_each(count, seen):
    """Which concepts speak for which class where each class has one, or `None`."""
    if seen.classes == count:
        return np.eye(count, dtype=bool)
    is_binary = seen.classes is not None and seen.predictions.shape[-1] == count == 1
    return np.array([[False], [True]]) if is_binary else None


def _names(count, class_names, speaks):
    """A concept has the name of its class where each of them is the other's only one.

    Where it is not known what speaks for which, as many names are those of all.
    """
    names = [f"concept {index}" for index in range(count)]
    if class_names is None:
        return names
    if speaks is None:
        return list(class_names) if len(class_names) == count else names
    is_alone = (speaks.sum(axis=1, keepdims=True) == 1) & (speaks.sum(axis=0) == 1)
    for of_class, concept in np.argwhere(speaks & is_alone):
        names[concept] = class_names[of_class]
    return names
