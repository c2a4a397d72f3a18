"""The splits of the data sets drawn here, and what their examples are drawn from."""

import numpy as np

from keras_lap.utils.names import check_choice
from keras_lap.utils.standardize_count import standardize_count

SPLITS = ("train", "validation", "test")


def example_rng(seed, split, index):
    """Returns the source of randomness of one example.

    Args:
        seed: Seed of the data set.
        split: One of `SPLITS`.
        index: Index of the example in its split, at least 0.

    Returns:
        A generator that is the same for the same arguments, however many examples
        there are.

    Raises:
        ValueError: If there is no such split, or the index is no integer of at least 0.
    """
    check_choice("split", split, SPLITS)
    index = standardize_count("index", index, least=0)
    return np.random.default_rng((seed, SPLITS.index(split), index))
