"""One picture: clutter, scrambled strokes, and a single readable digit."""

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
from keras_lap.datasets.drawn.patch import PATCH_SIDE
from keras_lap.datasets.drawn.placement import place_digit, place_distractor
from keras_lap.datasets.drawn.strokes import ink, scramble

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


def draw_scene(rng, digits):
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
    canvas = draw_background(rng)
    luma = mean_luma(canvas)

    sample = int(rng.integers(len(digits.labels)))
    digit = ink(digits.strokes[sample], rng.integers(32, 43))
    place = place_digit(rng, digit.shape, SIDE, PATCH_SIDE + _GAP_TO_PATCH)
    colour = draw_ink_colour(rng, luma)

    for _ in range(rng.integers(3, 7)):
        others = digits.strokes[rng.integers(len(digits.labels), size=4)]
        distractor = ink(scramble(rng, others), rng.integers(28, 41))
        spot = place_distractor(rng, distractor.shape, SIDE, place, digit.shape)
        paint(canvas, distractor, spot, draw_ink_colour(rng, luma))
    paint(canvas, digit, place, colour)

    opacity = np.zeros((SIDE, SIDE, 1))
    paint(opacity, digit, place, 1.0)
    return Scene(finish(canvas), (opacity > 0.5).astype(np.uint8), sample)
