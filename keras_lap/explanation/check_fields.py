"""Whether the fields of an explanation fit each other."""

from keras_lap.classifier.class_outputs import check_class_names


def check_fields(explanation):
    """Raises a `ValueError` if fields do not fit each other.

    Args:
        explanation: An `Explanation`, its fields as arrays and lists.
    """
    samples, height, width, count = explanation.maps.shape
    lengths = {"concepts": count, "concept_names": count, "files": samples}
    for name, length in lengths.items():
        value = getattr(explanation, name)
        if value is not None and len(value) != length:
            raise ValueError(f"Expected {length} `{name}`. Received: {len(value)}")
    shapes = {
        "images": (samples, height, width, "C"),
        "scores": (samples, count),
        "predictions": (samples, "columns"),
        "masks": (samples, height, width),
    }
    for name, shape in shapes.items():
        array = getattr(explanation, name)
        if array is not None and not _fits(array.shape, shape):
            raise ValueError(
                f"Expected `{name}` of shape {shape}, to fit maps of shape "
                f"{explanation.maps.shape}. Received: {name}.shape={array.shape}"
            )
    if explanation.labels is not None and len(explanation.labels) != samples:
        raise ValueError(
            f"Expected {samples} labels. Received: {len(explanation.labels)}"
        )
    if explanation.predictions is not None:
        check_class_names(explanation.class_names, explanation.outputs.shape[-1])


def _fits(shape, wanted):
    """Whether a shape is another one, where any size will do for a string."""
    return len(shape) == len(wanted) and all(
        isinstance(side, str) or side == size
        for side, size in zip(wanted, shape, strict=True)
    )
