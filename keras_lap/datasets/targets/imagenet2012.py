"""ImageNet's thousand classes."""


def imagenet2012(features):
    """Image and label of `imagenet2012`, of which nothing more is known.

    Args:
        features: The features of one example.

    Returns:
        The image and the label, one of 1000 classes.
    """
    return features["image"], features["label"]
