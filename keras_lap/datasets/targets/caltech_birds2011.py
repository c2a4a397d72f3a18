"""Birds, with boxes and outlines."""

import tensorflow as tf


def caltech_birds2011(features):
    """Label, box and mask of `caltech_birds2011`.

    Args:
        features: The features of one example.

    Returns:
        The image, and a dict with `"label"`, one of 200 species; `"boxes"`, float32
        `(1, 4)`; and `"mask"`, float32 `(H, W)`, the grey values of the data set's
        masks as shares of 255.
    """
    mask = tf.cast(features["segmentation_mask"][..., 0], "float32") / 255
    boxes = features["bbox"][None]
    return features["image"], {
        "label": features["label"],
        "mask": mask,
        "boxes": boxes,
    }
