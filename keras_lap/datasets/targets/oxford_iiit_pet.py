"""Cats and dogs, outlined."""

import tensorflow as tf

from keras_lap.utils.names import check_choice

_ANIMAL, _BORDER = 1, 3


def oxford_iiit_pet(features, label="label", border=1.0):
    """Label and mask of `oxford_iiit_pet`.

    The trimap has 1 for the animal, 2 for the background and 3 for a border between
    them that belongs to neither; other values count as background. The boxes of heads
    are left out: they are no boxes of what the mask shows.

    Args:
        features: The features of one example.
        label: `"label"`, one of 37 breeds, or `"species"`, 0 for cats and 1 for dogs.
        border: Which share of the border's pixels counts as covered by the animal, in
            `[0, 1]`. By default all: fur and ears lie there, and scores in it
            are then no mistake.

    Returns:
        The image, and a dict with `"label"` and the `"mask"`, float32 `(H, W)`.

    Raises:
        ValueError: If `label` is neither.
    """
    check_choice("label", label, ("label", "species"))
    trimap = features["segmentation_mask"][..., 0]
    animal = tf.cast(trimap == _ANIMAL, "float32")
    mask = animal + border * tf.cast(trimap == _BORDER, "float32")
    return features["image"], {"label": features[label], "mask": mask}
