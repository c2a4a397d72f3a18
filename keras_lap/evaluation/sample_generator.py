"""Random numbers that are the same for a sample wherever it is measured."""

import numpy as np

from keras_lap.utils.standardize_count import standardize_count


def sample_generator(seed, index):
    """A generator for one sample, whatever was drawn for the others.

    Args:
        seed: int of at least 0.
        index: Index of the sample.

    Raises:
        ValueError: If the seed is something else.

    Example:
    >>> from keras_lap.evaluation.sample_generator import sample_generator
    >>> drawn = [int(sample_generator(0, index).integers(100)) for index in (3, 7, 3)]
    >>> drawn[0] == drawn[2] != drawn[1]
    True
    """
    seed = standardize_count("seed", seed, least=0)
    return np.random.default_rng([seed, index])
