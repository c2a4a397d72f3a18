"""Derivatives by central differences."""

import numpy as np

# Values at -2, -1, 1 and 2 steps; exact for polynomials up to degree four, so that a
# step this long leaves errors of about 1e-11 from truncation and rounding alike. The
# accuracy asked for leaves room for values and slopes larger than one.
STENCIL = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
STEP = 1e-4
ACCURACY = {"rtol": 1e-9, "atol": 1e-9}


def directional_derivative(function, point, direction):
    """Derivative of `function`, of any shape, at `point` along `direction`."""
    return sum(
        factor * function(point + steps * STEP * direction)
        for steps, factor in STENCIL.items()
    ) / np.float64(STEP)


def numeric_gradient(function, point):
    """Gradient of a scalar function of one float64 array, entry by entry."""
    point = np.float64(point)
    gradient = np.empty(point.shape)
    for index in np.ndindex(point.shape):
        direction = np.zeros(point.shape)
        direction[index] = 1
        gradient[index] = directional_derivative(function, point, direction)
    return gradient
