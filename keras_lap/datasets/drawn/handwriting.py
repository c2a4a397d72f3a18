"""The handwritten digits, divided among the splits so that none is in two."""

import functools
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits

SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}

HOMEPAGE = (
    "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits"
)

CITATION = """
@misc{alpaydin1998optical,
  title = {Optical Recognition of Handwritten Digits},
  author = {Alpaydin, Ethem and Kaynak, Cenk},
  year = {1998},
  publisher = {UCI Machine Learning Repository},
  doi = {10.24432/C50P49}
}
"""

_SEED = 1797
_BRIGHTEST = 16.0


class Digits(NamedTuple):
    """A set of handwritten digits.

    Attributes:
        strokes: Float64 array of shape (n, 8, 8) with values in [0, 1], where 0 is
            paper and 1 is ink.
        labels: Int64 array of shape (n,) with values in 0..9.
    """

    strokes: np.ndarray
    labels: np.ndarray


@functools.cache
def assign_samples():
    """Divides the samples of `sklearn.datasets.load_digits` among the splits.

    Each class is shuffled with a fixed seed and cut in the proportions of `SHARES`,
    so every split has the classes in nearly equal numbers.

    Returns:
        For each split of `SHARES`, a sorted int64 array of sample indices. The arrays
        are disjoint and together hold every sample.
    """
    labels = load_digits().target
    rng = np.random.default_rng(_SEED)
    bounds = np.cumsum(list(SHARES.values()))[:-1]
    parts = [
        np.split(rng.permutation(members), np.rint(bounds * len(members)).astype(int))
        for members in (np.flatnonzero(labels == label) for label in range(10))
    ]
    return {
        split: np.sort(np.concatenate(of_each_class))
        for split, of_each_class in zip(SHARES, zip(*parts, strict=True), strict=True)
    }


@functools.cache
def digits_of(split):
    """Returns the handwritten digits that a split may use.

    Args:
        split: A key of `SHARES`.

    Returns:
        The split's digits, in the order of `assign_samples()[split]`.
    """
    source = load_digits()
    samples = assign_samples()[split]
    return Digits(source.images[samples] / _BRIGHTEST, source.target[samples])
