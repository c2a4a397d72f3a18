"""Which concepts speak for which class."""

import numpy as np


def class_concept_flags(class_concepts, concepts=0):
    """Flags of which concepts speak for which class, from either form of saying so.

    Args:
        class_concepts: Array `(classes, concepts)` of booleans or of zeros and ones, or
            ints `(classes,)`, the one concept of each class.
        concepts: Number of concepts, for as many columns at least where the second form
            names fewer.

    Returns:
        Boolean array `(classes, concepts)`.

    Raises:
        ValueError: If it is neither.

    Example:
    >>> from keras_lap.class_concepts import class_concept_flags
    >>> class_concept_flags([1, 0, 1]).astype(int)
    array([[0, 1],
           [1, 0],
           [0, 1]])
    """
    given = np.asarray(class_concepts)
    if given.ndim == 2 and np.isin(given, (0, 1)).all():
        return given.astype(bool)
    if given.ndim == 1 and given.size and given.dtype.kind in "iu" and min(given) >= 0:
        return np.arange(max(concepts, max(given) + 1)) == given[:, None]
    raise ValueError(
        "Expected `class_concepts` to say which concepts speak for which class: an "
        "array (classes, concepts) of zeros and ones, or ints (classes,), the index of "
        f"the one concept of each class. Received: {class_concepts!r}"
    )
