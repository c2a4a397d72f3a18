"""The digits of `CrowdedDigits`, several in an image."""

import tensorflow as tf


def crowded_digits(features):
    """Labels, masks and boxes of `crowded_digits`, one concept per digit.

    Args:
        features: The features of one example.

    Returns:
        The image, and a dict with `"label"` and `"concepts"`, both float32 `(10,)` of
        zeros and ones; `"mask"`, float32 `(64, 64, 10)`; `"boxes"`, float32 `(5, 4)`;
        and `"box_concepts"`, int64 `(5,)`, both padded with -1.
    """
    labels = tf.cast(features["labels"], "float32")
    return features["image"], {
        "label": labels,
        "concepts": labels,
        "mask": tf.cast(features["masks"], "float32"),
        "boxes": features["boxes"],
        "box_concepts": features["box_concepts"],
    }
