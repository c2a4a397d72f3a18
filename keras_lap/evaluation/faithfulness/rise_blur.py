"""The blur that the insertion game starts from."""

import numpy as np

_RADIUS, _DEVIATION = 5, 5.0


def rise_blur(image):
    """Blurs an image as the authors of RISE do.

    Their kernel is a unit impulse in a field of 11 by 11 pixels under a Gaussian of
    standard deviation 5, what leaves the field being mirrored back into it: wider than
    a Gaussian cut off at 11 pixels. Pixels beyond the border count as zero, so an image
    whose zero is black darkens towards its border.

    Source: the functions `gkern` and `blur` in the code to Petsiuk et al. 2018
    (`eclique/RISE`).

    Args:
        image: float array `(H, W, C)`.

    Returns:
        Array of the same shape and dtype.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.faithfulness.rise_blur import rise_blur
    >>> blurred = rise_blur(np.ones((21, 21, 1)))[..., 0]
    >>> [round(float(blurred[y, y]), 3) for y in (10, 5, 0)]
    [1.0, 1.0, 0.299]
    """
    image = np.asarray(image)
    return _along(1, _along(0, image)).astype(image.dtype)


def _along(axis, image):
    """Blurs an image along one of its axes, in float64."""
    widths = [(_RADIUS, _RADIUS) if at == axis else (0, 0) for at in range(3)]
    lines = np.moveaxis(np.pad(np.asarray(image, float), widths), axis, 0)
    length = image.shape[axis]
    blurred = sum(
        weight * lines[at : at + length] for at, weight in enumerate(_kernel())
    )
    return np.moveaxis(blurred, 0, axis)


def _kernel():
    size = 2 * _RADIUS + 1
    reach = np.arange(-4 * _DEVIATION, 4 * _DEVIATION + 1)
    weights = np.exp(-(reach**2) / (2 * _DEVIATION**2))
    # Mirrored at both borders, the border pixel itself included.
    places = (reach + _RADIUS).astype(int) % (2 * size)
    places = np.minimum(places, 2 * size - 1 - places)
    return np.bincount(places, weights / weights.sum(), minlength=size)
