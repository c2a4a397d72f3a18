"""Where the concepts that are meant lie among those of an explanation's maps."""

import numpy as np

from keras_lap.utils.names import check_names, some_of_many

_NAMED = 10


def positions_of(explanation, concepts):
    """The positions of concepts.

    Args:
        explanation: The `Explanation`.
        concepts: Index in the model or name of a concept, or a list of them.

    Returns:
        List of ints, one per concept.

    Raises:
        ValueError: If a concept is unknown, or was not asked for, or they are no list.
    """
    if np.ndim(concepts) > 1:
        raise ValueError(
            "Expected one concept, or a list of them. Received: concepts of shape "
            f"{np.shape(concepts)}"
        )
    wanted = [concepts] if np.ndim(concepts) == 0 else concepts
    if not isinstance(wanted, list):
        wanted = np.asarray(wanted).tolist()
    found = {one: _position(explanation, one) for one in dict.fromkeys(wanted)}
    return [found[one] for one in wanted]


def position_for_each(explanation, concepts=None):
    """The position of one concept for each image.

    Args:
        explanation: The `Explanation`.
        concepts: As for `Explanation.of`.

    Returns:
        Int array `(N,)`.

    Raises:
        ValueError: If a concept is unknown, or was not asked for, or there are neither
            one nor `N`.
    """
    if concepts is None:
        return _speaking(explanation).argmax(axis=-1)
    count = len(explanation)
    if np.shape(concepts) not in ((), (count,)):
        raise ValueError(
            f"Expected one concept, or one for each of {count} images. Received: "
            f"concepts of shape {np.shape(concepts)}. Labels that were given to "
            "`explain` are in one form in `explanation.labels`."
        )
    positions = np.array(positions_of(explanation, concepts), int)
    return np.broadcast_to(positions, (count,))


def _position(explanation, concept):
    if isinstance(concept, str):
        check_names("the name of a concept", [concept], explanation.concept_names)
        return explanation.concept_names.index(concept)
    concepts = explanation.concepts
    if concept not in concepts:
        single = ", or take `of(0)` if the model has a single one for all classes"
        raise ValueError(
            "Expected concepts that were asked for, which are "
            f"[{some_of_many(concepts, _NAMED)}]. Received: {concept!r}. Ask for more "
            f"with `explain(..., concepts=[...])`{single * (concepts == [0])}."
        )
    return concepts.index(concept)


def _speaking(explanation):
    """The scores of those concepts that speak for the predicted class, or of all.

    Where one is left out it counts as -1.
    """
    if explanation.class_concepts is None or explanation.predictions is None:
        return explanation.scores
    of_predicted = explanation.class_concepts[explanation.predicted]
    speaks = of_predicted[:, explanation.concepts]
    speaks = speaks | ~speaks.any(axis=-1, keepdims=True)
    return np.where(speaks, explanation.scores, -1)
