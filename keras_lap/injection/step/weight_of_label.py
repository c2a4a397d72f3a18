"""Sample weights beside targets with knowledge."""

from keras_lap.injection.knowledge import holds_knowledge


def weight_of_label(sample_weight, y):
    """The label's sample weights; Keras may have made a dict like `y` of one array."""
    is_like_targets = isinstance(sample_weight, dict) and holds_knowledge(y)
    if is_like_targets and "label" in sample_weight and set(sample_weight) <= set(y):
        return sample_weight["label"]
    return sample_weight
