"""Which concepts the labels of a batch name."""

import numpy as np
from keras import ops


class NamesNoConcepts(ValueError):  # noqa: N818
    """Labels of which it is not known which concepts of a layer they name."""


def present_concepts(label, class_concepts, outputs=None):
    """Which concepts the labels say are present.

    Args:
        label: Class indices `(N,)` or `(N, 1)`, of which those of no class, such as
            -1, name nothing, or one-hot or multi-hot `(N, classes)`, where a class is
            present from a value of 0.5, and not known at a negative one or NaN. With a
            single class, a column of such, `(N,)` or `(N, 1)`.
        class_concepts: Array `(classes, K)` of zeros and ones.
        outputs: As `compiled_outputs` returns it. With `"softmax"` the likeliest class
            of a row is present too, be it below 0.5. And there is a class in each
            image, so an index of none is one not known, and so is a row of which no
            class is likelier than the others, while -1 in a row is as 0. With `"hinge"`
            it is so too, and NaN alone not known.

    Returns:
        float32 tensor `(N, K)`; 1 present, 0 absent, -1 unknown.

    Raises:
        ValueError: If the labels have another shape, or there are none.
    """
    if label is None:
        raise ValueError(
            "Expected targets with a label, for a loss that asks which concepts it "
            "names. Received none: pass `y` to `fit`."
        )
    matrix = ops.convert_to_tensor(class_concepts, "float32")
    classes = len(class_concepts)
    label = ops.convert_to_tensor(label)
    shape = tuple(label.shape)
    is_flat = len(shape) == 1 or shape[1:] == (1,)
    if is_flat and classes == 1:
        label, shape = ops.reshape(label, (-1, 1)), (shape[0], 1)
    is_row = len(shape) == 2 and shape[1] == classes
    if is_row:
        label = ops.cast(label, "float32")
        chosen = _chosen(label, outputs)
    elif is_flat:
        index = ops.reshape(ops.cast(label, "int32"), (-1, 1))
        chosen = ops.equal(index, ops.arange(classes))
    else:
        raise ValueError(
            f"Expected labels (N,), (N, 1) or (N, {classes}) for {classes} classes. "
            f"Received shape: {shape}"
        )
    present = ops.minimum(ops.matmul(ops.cast(chosen, "float32"), matrix), 1.0)
    if outputs == "softmax":
        # Losses can ignore images without a class.
        is_unknown = ~ops.any(chosen, axis=-1, keepdims=True)
    elif is_row:
        unknown = ops.isnan(label) if outputs == "hinge" else ~(label >= 0)
        # Of a concept with several classes, one that is there is enough.
        is_unknown = ops.matmul(ops.cast(unknown, "float32"), matrix) > 0
        is_unknown = is_unknown & (present == 0)
    else:
        return present
    return ops.where(is_unknown, -1.0, present)


def _chosen(values, outputs):
    """Whether each class is present, `(N, classes)`."""
    chosen = values >= 0.5
    if outputs != "softmax":
        return chosen
    highest, lowest = (
        extreme(values, axis=-1, keepdims=True) for extreme in (ops.max, ops.min)
    )
    return chosen | ((values == highest) & (highest > lowest))


def default_class_concepts(classes, concepts):
    """The map from classes to concepts of a layer for which none was given.

    Args:
        classes: Number of classes.
        concepts: Number of concepts of the layer.

    Returns:
        float32 array `(classes, concepts)`: the identity, or a column of ones for
        a layer with one class-free concept.

    Raises:
        NamesNoConcepts: If neither fits.
    """
    if concepts == classes:
        return np.eye(classes, dtype="float32")
    if concepts == 1:
        return np.ones((classes, 1), dtype="float32")
    raise NamesNoConcepts(
        f"Expected LAP layers with {classes} concepts, one per class, or with a "
        f"single one. Received: a layer with {concepts}. Say which class has which "
        f"concept by `class_concepts` of `KnowledgeInjection`: an array ({classes}, "
        f"{concepts}) of zeros and ones, or one index for each class, ({classes},). "
        "Or name the layers to supervise in its `layers`."
    )
