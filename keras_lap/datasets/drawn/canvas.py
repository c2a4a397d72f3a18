"""What pictures are painted on: a textured background, colours, and a brush."""

import numpy as np

from keras_lap.datasets.drawn.enlarge import enlarge

SIDE = 64

_LUMA = np.array([0.299, 0.587, 0.114])
_NOISE_GRIDS = {4: 1.0, 8: 0.7, 16: 0.45, 32: 0.3}


def draw_background(rng):
    """Draws smooth coloured noise, a (64, 64, 3) array in the darker half of 0..255."""
    luma, chroma = (
        sum(
            strength * enlarge(rng.standard_normal((grid, grid)), SIDE)
            for grid, strength in _NOISE_GRIDS.items()
        )[..., None]
        for _ in range(2)
    )
    tone = rng.uniform(45, 125) + draw_chroma(rng, rng.uniform(10, 50))
    return tone + 13 * luma + chroma * draw_chroma(rng, 22)


def draw_ink_colour(rng, background_luma):
    """Draws an ink, a (3,) vector clearly lighter than the background."""
    luma = background_luma + rng.uniform(45, 90)
    return (luma + draw_chroma(rng, rng.uniform(30, 80))).clip(0, 255)


def draw_chroma(rng, strength):
    """Draws a shift of colour, a (3,) vector that leaves the luma as it is."""
    direction = rng.standard_normal(3)
    direction -= direction @ _LUMA
    return strength * direction / np.linalg.norm(direction)


def mean_luma(canvas):
    """Returns how light a canvas of shape (height, width, 3) is on average."""
    return canvas.mean(axis=(0, 1)) @ _LUMA


def paint(canvas, opacity, place, colour):
    """Blends a colour into a canvas, in place; what lies beyond the edge is cut off.

    Args:
        canvas: Float array of shape (64, 64, channels).
        opacity: Float array of shape (height, width) with values in [0, 1].
        place: (top, left) of the opacity on the canvas.
        colour: What to blend in, of shape (channels,) or a scalar.
    """
    top, left = place
    opacity = opacity[max(-top, 0) : SIDE - top, max(-left, 0) : SIDE - left, None]
    top, left = max(top, 0), max(left, 0)
    covered = canvas[top : top + opacity.shape[0], left : left + opacity.shape[1]]
    covered += opacity * (colour - covered)


def finish(canvas):
    """Rounds a canvas to an image, uint8 of the same shape."""
    return np.rint(canvas.clip(0, 255)).astype(np.uint8)
