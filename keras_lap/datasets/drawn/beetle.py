"""One picture: a beetle whose kind is told by a mark on its back, and clutter."""

from typing import NamedTuple

import numpy as np

from keras_lap.datasets.drawn.canvas import (
    SIDE,
    draw_background,
    draw_chroma,
    finish,
    paint,
)
from keras_lap.datasets.drawn.frame import Frame

FORMS = ("spot", "ring", "bar", "cross")
TRAITS = (
    "light_wings",
    "pale_legs",
    "long_antennae",
    "clubbed_antennae",
    "striped_shield",
    "pointed_tail",
)

# Lengths on the beetle are in half lengths of its wing cases, whose middle is the
# origin, with y to the tail.
_WINGS = (0.72, 1.0)
_SADDLE = (0.6, 0.36)
_PAIR_APART = 0.31
# An ellipse around nearly all but the feet, and its middle's y.
_OUTLINE = np.array([0.9, 1.8])
_OUTLINE_MIDDLE = -0.45


class Beetle(NamedTuple):
    """A picture and what is known about its beetle.

    Attributes:
        image: Uint8 array of shape (64, 64, 3).
        mask: Uint8 array of shape (64, 64, 1), 1 on the saddle that bears the mark.
        object_mask: Uint8 array of shape (64, 64, 1), 1 on the beetle.
        traits: Uint8 array of shape (6,), 1 for those of `TRAITS` that it has.
    """

    image: np.ndarray
    mask: np.ndarray
    object_mask: np.ndarray
    traits: np.ndarray


def draw_beetle(rng, kind):
    """Draws a beetle, seen from above, on pebbles and twigs.

    A pale saddle lies across its wing cases, and on it one or two dark marks. What is
    drawn from `rng` does not depend on the kind: pictures from equal generators are
    equal outside of the saddle.

    Args:
        rng: Source of all randomness.
        kind: Twice the index of the mark's form in `FORMS`, plus 1 for two marks.

    Returns:
        The beetle, wholly inside the picture but for feet.
    """
    canvas = draw_background(rng)
    for _ in range(rng.integers(4, 9)):
        _paint_litter(rng, canvas)

    frame = _place(rng)
    traits = rng.integers(2, size=len(TRAITS)).astype(np.uint8)
    object_mask = np.zeros((SIDE, SIDE), bool)
    for opacity, colour in _body(rng, frame, dict(zip(TRAITS, traits, strict=True))):
        paint(canvas, opacity, (0, 0), colour)
        object_mask |= opacity > 0.5

    saddle_y = rng.uniform(-0.2, 0.3)
    saddle = frame.ellipse((0, saddle_y), _SADDLE)
    mask = saddle > 0.5
    paint(canvas, saddle, (0, 0), _colour(rng, (190, 220), 35))
    mark = _mark(frame, saddle_y, kind, rng.uniform(0.22, 0.25))
    paint(canvas, mark * mask, (0, 0), _colour(rng, (15, 55), 20))
    return Beetle(
        finish(canvas),
        mask[..., None].astype(np.uint8),
        object_mask[..., None].astype(np.uint8),
        traits,
    )


def _place(rng):
    """Draws place, direction and size, the body and the antennae inside the picture."""
    unit, angle = rng.uniform(13.5, 16.5), rng.uniform(0, 2 * np.pi)
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    margin = unit * np.hypot(*(axes * _OUTLINE).T)
    middle = rng.uniform(margin, SIDE - margin)
    return Frame(middle - unit * _OUTLINE_MIDDLE * axes[:, 1], angle, unit)


def _paint_litter(rng, canvas):
    """Paints a pebble or a twig."""
    frame = Frame(rng.uniform(0, SIDE, 2), rng.uniform(0, 2 * np.pi), 1.0)
    colour = _colour(rng, (30, 200), 50)
    if rng.integers(2):
        shape = frame.ellipse((0, 0), rng.uniform(2.5, 6.5, 2))
    else:
        reach = rng.uniform(6, 16)
        shape = frame.line((-reach, 0), (reach, 0), rng.uniform(1.2, 3.0))
    paint(canvas, shape, (0, 0), colour)


def _body(rng, frame, traits):
    """Yields opacity and colour of the beetle's parts, from the lowest to the highest.

    Every part of the body has a dark edge.
    """
    edge = _colour(rng, (5, 25), 8)
    limbs = _colour(rng, (150, 190) if traits["pale_legs"] else (15, 45), 30)
    wings = _colour(rng, (115, 145) if traits["light_wings"] else (45, 75), 70)
    shield = _colour(rng, (50, 130), 50)
    stripes = _colour(rng, (180, 220), 20)
    antenna = 0.65 if traits["long_antennae"] else 0.35
    spread = rng.uniform(0.2, 0.9)

    for side in (-1, 1):
        for root, knee, foot in ((-0.6, -0.8, -1.05), (0, 0.1, 0.3), (0.5, 0.8, 1.15)):
            yield frame.line((side * 0.5, root), (side * 1.0, knee), 0.15), limbs
            yield frame.line((side * 1.0, knee), (side * 1.2, foot), 0.12), limbs
        root = np.array([side * 0.15, -1.5])
        tip = root + antenna * np.array([side * np.sin(spread), -np.cos(spread)])
        yield frame.line(root, tip, 0.11), limbs
        if traits["clubbed_antennae"]:
            yield frame.ellipse(tip, (0.16, 0.16)), limbs

    if traits["pointed_tail"]:
        yield frame.line((0, 0.8), (0, 1.25), 0.28), edge
    for place, radii, colour in (
        ((0, -1.4), (0.36, 0.25), edge),
        ((0, 0), _WINGS, wings),
        ((0, -1.0), (0.56, 0.36), shield),
    ):
        yield frame.ellipse(place, radii), edge
        yield frame.ellipse(place, np.subtract(radii, 0.07)), colour
    if traits["striped_shield"]:
        for x in (-0.2, 0.2):
            yield frame.line((x, -1.2), (x, -0.85), 0.13), stripes
    yield frame.line((0, -0.6), (0, 0.95), 0.07), edge


def _mark(frame, y, kind, radius):
    """Opacity of the mark, one or two of a form side by side."""
    form, is_pair = FORMS[kind // 2], kind % 2
    xs = (-_PAIR_APART, _PAIR_APART) if is_pair else (0.0,)
    shapes = [_form(frame, form, np.array([x, y]), radius) for x in xs]
    return np.max(shapes, axis=0)


def _form(frame, form, place, radius):
    """Opacity of one of `FORMS`."""
    if form == "spot":
        return frame.ellipse(place, (radius, radius))
    if form == "ring":
        return frame.ring(place, radius, 0.47 * radius)
    reach = 0.8 * radius * np.array([0.0, 1.0])
    if form == "bar":
        return frame.line(place - reach, place + reach, 0.75 * radius)
    reach = 0.62 * radius * np.array([1.0, 1.0])
    strokes = (reach, reach * (-1, 1))
    return np.max([frame.line(place - r, place + r, 0.5 * radius) for r in strokes], 0)


def _colour(rng, luma, strength):
    """Draws a colour whose luma is in a range, a (3,) vector."""
    return (rng.uniform(*luma) + draw_chroma(rng, strength)).clip(0, 255)
