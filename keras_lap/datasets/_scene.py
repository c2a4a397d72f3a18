"""One picture: clutter, scrambled strokes, and a single readable digit."""

from typing import NamedTuple

import numpy as np

from keras_lap.datasets._handwriting import Digits
from keras_lap.datasets._patch import PATCH_SIDE
from keras_lap.datasets._placement import place_digit, place_distractor
from keras_lap.datasets._resize import enlarge
from keras_lap.datasets._strokes import ink, scramble

SIDE = 64

_LUMA = np.array([0.299, 0.587, 0.114])
_NOISE_GRIDS = {4: 1.0, 8: 0.7, 16: 0.45, 32: 0.3}
_GAP_TO_PATCH = 2


class Scene(NamedTuple):
    """A picture and what is known about its digit.

    Attributes:
        image: Uint8 array of shape (64, 64, 3).
        mask: Uint8 array of shape (64, 64, 1), 1 where the digit's ink is more than
            half opaque and 0 elsewhere.
        sample: Position of the digit among the digits the scene was drawn from.
    """

    image: np.ndarray
    mask: np.ndarray
    sample: int


def draw_scene(rng: np.random.Generator, digits: Digits) -> Scene:
    """Draws one scene.

    The digit lies on top of everything else, wholly inside the picture, and clear of
    the corners where a patch may be put. Digit and distractors take their colours from
    the same distribution, and distractors are drawn without regard to the label.

    Args:
        rng: Source of all randomness.
        digits: The handwriting that digit and distractors are made of.

    Returns:
        The scene.
    """
    canvas = _background(rng)
    luma = canvas.mean(axis=(0, 1)) @ _LUMA

    sample = int(rng.integers(len(digits.labels)))
    digit = ink(digits.strokes[sample], rng.integers(32, 43))
    place = place_digit(rng, digit.shape, SIDE, PATCH_SIDE + _GAP_TO_PATCH)
    colour = _colour(rng, luma)

    for _ in range(rng.integers(3, 7)):
        others = digits.strokes[rng.integers(len(digits.labels), size=4)]
        distractor = ink(scramble(rng, others), rng.integers(28, 41))
        spot = place_distractor(rng, distractor.shape, SIDE, place, digit.shape)
        _paint(canvas, distractor, spot, _colour(rng, luma))
    _paint(canvas, digit, place, colour)

    opacity = np.zeros((SIDE, SIDE, 1))
    _paint(opacity, digit, place, 1.0)
    image = np.rint(canvas.clip(0, 255)).astype(np.uint8)
    return Scene(image, (opacity > 0.5).astype(np.uint8), sample)


def _background(rng):
    """Draws smooth coloured noise, a (64, 64, 3) array in the darker half of 0..255."""
    luma, chroma = (
        sum(
            strength * enlarge(rng.standard_normal((grid, grid)), SIDE)
            for grid, strength in _NOISE_GRIDS.items()
        )[..., None]
        for _ in range(2)
    )
    tone = rng.uniform(45, 125) + _chroma(rng, rng.uniform(10, 50))
    return tone + 13 * luma + chroma * _chroma(rng, 22)


def _colour(rng, background_luma):
    """Draws an ink, a (3,) vector clearly lighter than the background."""
    luma = background_luma + rng.uniform(45, 90)
    return (luma + _chroma(rng, rng.uniform(30, 80))).clip(0, 255)


def _chroma(rng, strength):
    """Draws a shift of colour, a (3,) vector that leaves the luma as it is."""
    direction = rng.standard_normal(3)
    direction -= direction @ _LUMA
    return strength * direction / np.linalg.norm(direction)


def _paint(canvas, opacity, place, colour):
    """Blends a colour into a canvas, in place; what lies beyond the edge is cut off."""
    top, left = place
    opacity = opacity[max(-top, 0) : SIDE - top, max(-left, 0) : SIDE - left, None]
    top, left = max(top, 0), max(left, 0)
    covered = canvas[top : top + opacity.shape[0], left : left + opacity.shape[1]]
    covered += opacity * (colour - covered)
