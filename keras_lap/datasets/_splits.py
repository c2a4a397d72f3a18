"""The splits of the data sets drawn here, and what their examples are drawn from."""

import numpy as np

SPLITS = ("train", "validation", "test")


def example_rng(seed: int, split: str, index: int) -> np.random.Generator:
    """Returns the source of randomness of one example.

    Args:
        seed: Seed of the data set.
        split: One of `SPLITS`.
        index: Index of the example in its split, at least 0.

    Returns:
        A generator that is the same for the same arguments, however many examples
        there are.

    Raises:
        ValueError: If there is no such split, or if the index is negative.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, but it is {split!r}.")
    if index < 0:
        raise ValueError(f"index must be at least 0, but it is {index}.")
    return np.random.default_rng((seed, SPLITS.index(split), index))
