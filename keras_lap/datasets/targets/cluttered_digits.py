"""The digits of `ClutteredDigits`."""

import tensorflow as tf


def cluttered_digits(features):
    """Label, box and mask of `cluttered_digits`.

    Args:
        features: The features of one example.

    Returns:
        The image, and a dict with `"label"`, one of ten digits; `"boxes"`, float32
        `(1, 4)`; and `"mask"`, float32 `(64, 64)`. The patch of `"decoy"` is left out.
    """
    return features["image"], {
        "label": features["label"],
        "mask": tf.cast(features["mask"][..., 0], "float32"),
        "boxes": features["bbox"][None],
    }
