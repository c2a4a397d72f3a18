"""Sample weights beside targets with knowledge."""


def weight_of_label(sample_weight):
    """The label's sample weights; Keras may have made a dict of one array of them."""
    if isinstance(sample_weight, dict) and "label" in sample_weight:
        return sample_weight["label"]
    return sample_weight
