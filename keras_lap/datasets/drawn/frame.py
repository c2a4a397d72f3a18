"""Soft-edged shapes on a grid of pixels."""

import numpy as np

from keras_lap.datasets.drawn.canvas import SIDE


class Frame:
    """A coordinate system that is shifted, turned and scaled against the picture.

    The methods return the opacities of shapes, float arrays of shape (64, 64) that are
    1 inside, 0 outside, and change over about one pixel between. Lengths and places
    `(x, y)` are in the frame's unit.

    Args:
        centre: (x, y) of the frame's origin, in pixels.
        angle: By how much the frame is turned, in radians; at 0 its x axis points to
            the right and its y axis down.
        unit: Pixels in the frame's unit.
    """

    def __init__(self, centre, angle, unit):
        pixels = np.arange(SIDE) + 0.5
        right, down = (pixels - centre[0]) / unit, (pixels[:, None] - centre[1]) / unit
        self._x = np.cos(angle) * right + np.sin(angle) * down
        self._y = np.cos(angle) * down - np.sin(angle) * right
        self._unit = unit

    def ellipse(self, place, radii):
        """An ellipse with its radii along x and y."""
        x, y = (self._x - place[0]) / radii[0], (self._y - place[1]) / radii[1]
        return self._fill((1 - np.hypot(x, y)) * min(radii))

    def ring(self, place, radius, width):
        """A circle's line, of which the radius is the outer one."""
        distance = np.hypot(self._x - place[0], self._y - place[1])
        return self._fill(width / 2 - np.abs(distance - radius + width / 2))

    def line(self, start, end, width):
        """A straight line with round ends."""
        along = np.subtract(end, start)
        x, y = self._x - start[0], self._y - start[1]
        share = ((x * along[0] + y * along[1]) / (along @ along)).clip(0, 1)
        distance = np.hypot(x - share * along[0], y - share * along[1])
        return self._fill(width / 2 - distance)

    def _fill(self, depth):
        """Opacity of pixels whose centres lie so deep inside, in the frame's unit."""
        return (depth * self._unit + 0.5).clip(0, 1)
