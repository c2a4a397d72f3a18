"""One picture of several digits among things that resemble digits."""

from typing import NamedTuple

import numpy as np

from keras_lap.datasets.drawn.canvas import (
    SIDE,
    draw_background,
    draw_ink_colour,
    finish,
    mean_luma,
    paint,
)
from keras_lap.datasets.drawn.placement import place_over
from keras_lap.datasets.drawn.strokes import halve, ink, scramble

CLASSES = 10
MOST_DIGITS = 5
LARGEST_HIDDEN_SHARE = 0.2

_LARGEST_HIDDEN_SHARE_BELOW = 0.4
_RIM = 0.5
# Half of a one is a one.
_NOT_HALVED = 1


class Crowd(NamedTuple):
    """A picture and what is known about its digits.

    Attributes:
        image: Uint8 array of shape (64, 64, 3).
        masks: Uint8 array of shape (64, 64, 10), 1 where the ink of a class's digit is
            more than half opaque and no other digit's over it is.
        samples: Int64 array of shape (10,), the position of each class's digit among
            the digits the crowd was drawn from, -1 for classes that are absent.
    """

    image: np.ndarray
    masks: np.ndarray
    samples: np.ndarray


def draw_crowd(rng, digits):
    """Draws two to five digits of different classes.

    The digits lie wholly inside the picture and on top of all else. Each has at most
    `LARGEST_HIDDEN_SHARE` of its ink under other digits. Below them lie scrambled
    strokes and upper or lower halves of digits of absent classes. Everything takes its
    colour from the same distribution, and has a dim rim.

    Args:
        rng: Source of all randomness.
        digits: The handwriting that everything is made of.

    Returns:
        The crowd.
    """
    canvas = draw_background(rng)
    luma = mean_luma(canvas)
    classes = rng.permutation(CLASSES)
    samples = np.full(CLASSES, -1)
    planes = np.zeros((CLASSES, SIDE, SIDE), bool)
    spare = np.zeros(CLASSES)
    inks = []
    for label in classes[: rng.integers(2, MOST_DIGITS + 1)]:
        sample = rng.choice(np.flatnonzero(digits.labels == label))
        opacity = ink(digits.strokes[sample], rng.integers(24, 31))
        placed = samples >= 0
        place = place_over(rng, opacity > 0.5, planes[placed], spare[placed])
        if place is None:
            continue
        stamp = _plane(opacity, place)
        spare -= (planes & stamp).sum(axis=(1, 2))
        planes &= ~stamp
        planes[label], samples[label] = stamp, sample
        spare[label] = LARGEST_HIDDEN_SHARE * stamp.sum()
        inks.append((opacity, place))

    for strokes in _distractors(rng, digits, samples):
        opacity = ink(strokes, rng.integers(24, 31))
        hidden = np.array([_LARGEST_HIDDEN_SHARE_BELOW * (opacity > 0.5).sum()])
        place = place_over(rng, opacity > 0.5, planes.any(axis=0)[None], hidden)
        if place is not None:
            _paint_rimmed(canvas, opacity, place, draw_ink_colour(rng, luma))
    for opacity, place in inks:
        _paint_rimmed(canvas, opacity, place, draw_ink_colour(rng, luma))
    return Crowd(finish(canvas), planes.astype(np.uint8).transpose(1, 2, 0), samples)


def _paint_rimmed(canvas, opacity, place, colour):
    """Paints ink with a dim rim of one pixel, by which crossing strokes keep apart."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(opacity, 2), (3, 3))
    rim = _RIM * windows.max(axis=(2, 3))
    paint(canvas, rim, (place[0] - 1, place[1] - 1), 0.0)
    paint(canvas, opacity, place, colour)


def _plane(opacity, place):
    """Which pixels of the picture are more than half covered, (64, 64)."""
    plane = np.zeros((SIDE, SIDE, 1))
    paint(plane, opacity, place, 1.0)
    return plane[..., 0] > 0.5


def _distractors(rng, digits, samples):
    """Draws the strokes of things that are no digits, arrays (8, 8)."""
    for _ in range(rng.integers(1, 4)):
        yield scramble(rng, digits.strokes[rng.integers(len(digits.labels), size=4)])
    present = np.flatnonzero(samples >= 0)
    others = np.flatnonzero(~np.isin(digits.labels, [*present, _NOT_HALVED]))
    for sample in rng.choice(others, rng.integers(1, 3)):
        yield halve(rng, digits.strokes[sample])
