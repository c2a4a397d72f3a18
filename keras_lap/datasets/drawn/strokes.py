"""Ink from handwriting: enlarged digits, and strokes that no longer form a digit."""

import itertools

import numpy as np

from keras_lap.datasets.drawn.enlarge import enlarge

_FAINTEST = 0.28
_SOLID = 0.6


def ink(strokes, size):
    """Enlarges handwriting to soft-edged ink.

    Args:
        strokes: Float array of shape (8, 8) with values in [0, 1].
        size: Pixels to which the strokes and a margin of one cell all round, ten cells
            in all, are enlarged.

    Returns:
        Opacity, a float array with values in [0, 1], cropped to the rows and columns
        that hold any ink.
    """
    enlarged = enlarge(np.pad(strokes, 1), size)
    opacity = ((enlarged - _FAINTEST) / (_SOLID - _FAINTEST)).clip(0, 1)
    rows, columns = (np.flatnonzero(opacity.any(axis)) for axis in (1, 0))
    return opacity[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def scramble(rng, strokes):
    """Puts together one quadrant of each of four digits, each turned.

    Args:
        rng: Draws the turns, of 90, 180 or 270 degrees.
        strokes: Float array of shape (4, 8, 8), the four digits.

    Returns:
        Float array of shape (8, 8).
    """
    scrambled = np.empty(strokes.shape[1:])
    halves = slice(None, 4), slice(4, None)
    for digit, quadrant in zip(strokes, itertools.product(halves, halves), strict=True):
        scrambled[quadrant] = np.rot90(digit[quadrant], rng.integers(1, 4))
    return scrambled


def halve(rng, strokes):
    """Keeps the upper or the lower half of a digit.

    Args:
        rng: Draws which half.
        strokes: Float array of shape (8, 8).

    Returns:
        Float array of shape (8, 8), zero in the other half.
    """
    half = np.zeros_like(strokes)
    kept = slice(None, 4) if rng.integers(2) else slice(4, None)
    half[kept] = strokes[kept]
    return half
