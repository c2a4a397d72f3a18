"""Faces and their attributes."""

import tensorflow as tf

from keras_lap.utils.names import check_names


def celeb_a(features, label=None, attributes=None):
    """Attributes of `celeb_a` as concepts.

    Args:
        features: The features of one example.
        label: Name of the attribute to tell, as in `"Smiling"`, or `None` for all of
            `attributes` together, as many independent yes or no.
        attributes: List of the names of the attributes that are concepts, in their
            order, or `None` for all 40, in alphabetical order.

    Returns:
        The image, and a dict with `"concepts"`, float32 `(K,)` of zeros and ones, and
        `"label"`: 0 or 1, or the same as the concepts.

    Raises:
        ValueError: If there is no attribute of a name.
    """
    given = features["attributes"]
    names = sorted(given) if attributes is None else list(attributes)
    wanted = names if label is None else [*names, label]
    check_names("names of attributes", wanted, sorted(given))
    concepts = tf.stack([tf.cast(given[name], "float32") for name in names])
    chosen = concepts if label is None else tf.cast(given[label], "int64")
    return features["image"], {"label": chosen, "concepts": concepts}
