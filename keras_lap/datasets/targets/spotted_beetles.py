"""The beetles of `SpottedBeetles`."""

import tensorflow as tf

from keras_lap.datasets.spotted_beetles import ATTRIBUTES
from keras_lap.utils.names import check_names


def spotted_beetles(features, attributes=None):
    """Species, saddle and attributes of `spotted_beetles`.

    The mask and the box are those of the saddle, on which the species is to be seen,
    and belong to the concept of the label. The attributes are for layers whose concepts
    they are.

    Args:
        features: The features of one example.
        attributes: List of the names of the attributes that are concepts, in their
            order, or `None` for all of `spotted_beetles.ATTRIBUTES`.

    Returns:
        The image, and a dict with `"label"`, one of eight species; `"mask"`, float32
        `(64, 64)`; `"boxes"`, float32 `(1, 4)`; and `"concepts"`, float32 `(K,)` of
        zeros and ones.

    Raises:
        ValueError: If there is no attribute of a name.
    """
    names = ATTRIBUTES if attributes is None else list(attributes)
    check_names("names of attributes", names, ATTRIBUTES)
    chosen = [ATTRIBUTES.index(name) for name in names]
    return features["image"], {
        "label": features["label"],
        "mask": tf.cast(features["mask"][..., 0], "float32"),
        "boxes": features["bbox"][None],
        "concepts": tf.cast(tf.gather(features["attributes"], chosen), "float32"),
    }
