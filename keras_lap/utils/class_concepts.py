"""Which concepts speak for which class."""

import numpy as np


def standardize_class_concepts(class_concepts):
    """What says which concepts speak for which class, as an array of one of two forms.

    Args:
        class_concepts: Array `(classes, concepts)` of booleans or of zeros and ones, or
            ints `(classes,)`, the one concept of each class.

    Returns:
        Boolean array `(classes, concepts)`, or int64 array `(classes,)`.

    Raises:
        ValueError: If it is neither.
    """
    try:
        given = np.asarray(class_concepts)
    except ValueError:  # rows of several lengths
        given = np.empty(0)
    if given.size and given.ndim == 2:
        has_flags = given.dtype == bool or np.isin(given, (0, 1)).all()
        if has_flags:
            return given.astype(bool, copy=False)
    if given.size and given.ndim == 1 and given.dtype.kind in "iu":
        given = given.astype("int64")
        if given.min() >= 0:
            return given
    raise ValueError(
        "Expected `class_concepts` to say which concepts speak for which class: an "
        "array (classes, concepts) of zeros and ones, or ints (classes,), the index of "
        f"the one concept of each class. Received: {class_concepts!r}"
    )


def class_concept_flags(class_concepts, classes, concepts, of, exactly=True):
    """Flags of which concepts speak for which class.

    What is said of one class is of class 1 where there are two, and of two classes that
    of class 1 counts where there is one: a model with a single output for two classes
    may be described in either way.

    Args:
        class_concepts: As `standardize_class_concepts` returns it.
        classes: Number of classes, or `None` if that is not known.
        concepts: Number of concepts.
        of: Whose these are, for messages.
        exactly: Whether more concepts than that are an error.

    Returns:
        Boolean array `(classes, concepts)`, of more columns if there may be.

    Raises:
        ValueError: If the numbers do not fit.

    Example:
    >>> import numpy as np
    >>> from keras_lap.utils.class_concepts import class_concept_flags
    >>> flags = class_concept_flags(np.array([1, 0, 1]), 3, 2, of="the model")
    >>> flags.astype(int)
    array([[0, 1],
           [1, 0],
           [0, 1]])
    """
    flags, named = class_concepts, concepts
    if class_concepts.ndim == 1:
        named = int(class_concepts.max()) + 1
        width = concepts if exactly else max(concepts, named)
        flags = np.arange(width) == class_concepts[:, None]
    if (classes, len(flags)) == (2, 1):
        flags = np.concatenate([np.zeros_like(flags), flags])
    elif (classes, len(flags)) == (1, 2):
        flags = flags[1:]
    fits = flags.shape[1] == concepts if exactly else flags.shape[1] >= concepts
    if not fits or (exactly and named > concepts) or classes not in (None, len(flags)):
        rows, more = "classes" if classes is None else classes, "" if exactly else "+"
        received = f"an array of shape {class_concepts.shape}"
        if class_concepts.ndim == 1:
            received += f" with indices up to {named - 1}"
        raise ValueError(
            f"Expected `class_concepts` of shape ({rows}, {concepts}{more}), to fit "
            f"{of}, or one index for each class, shape ({rows},). Received: {received}"
        )
    return flags
