"""Labels and masks that are given beside images."""

import numpy as np

from keras_lap.classifier.labels import standardize_labels
from keras_lap.classifier.standardize_masks import check_masks


def given_targets(labels, masks, source, taken):
    """Labels and masks that are given beside images, checked so that errors come early.

    Args:
        labels: Array `(N,)` or `(N, classes)`, or `None`.
        masks: Array `(N, h, w)` or `(N, h, w, K)`, or `None`.
        source: The `ImageSource` of the images.
        taken: The `ImageInput` of the model.

    Returns:
        Dict of those that are given, `"labels"` and `"masks"`, as arrays.

    Raises:
        ValueError: If they are of another number of images, or no labels or masks; or
            if there are masks beside a data set.
    """
    given = {
        name: np.asarray(values)
        for name, values in {"labels": labels, "masks": masks}.items()
        if values is not None
    }
    for name, values in given.items():
        if source.samples is not None and values.shape[:1] != (source.samples,):
            raise ValueError(
                f"Expected `{name}` of {source.samples} images. "
                f"Received: {name}.shape={values.shape}"
            )
    if "labels" in given:
        given["labels"] = standardize_labels(given["labels"])
    if "masks" in given:
        if source.images is None:
            raise ValueError(
                "Expected the masks of a data set in the data set itself, as "
                '`(image, {"label": label, "mask": mask})`. Received: `masks`'
            )
        size = source.images.shape[taken.spatial]
        check_masks(given["masks"], size, any_aspect=source.is_stretched)
    return given
