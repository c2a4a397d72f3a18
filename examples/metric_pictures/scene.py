"""One image, the object on it, maps that are more or less right, and a model.

Everything is a formula, so what a metric ought to say of it is known.
"""

import numpy as np

SIZE = 64
_ROWS, _COLUMNS = np.mgrid[:SIZE, :SIZE] + 0.5
CENTER, RADIUS = (26, 24), 13
OTHER = (44, 50)


def _blob(center, width):
    squared = (_ROWS - center[0]) ** 2 + (_COLUMNS - center[1]) ** 2
    return np.exp(-squared / (2 * width**2))


# The object is a bright disc. Beside it lies a square that looks like it but does not
# matter.
MASK = (_ROWS - CENTER[0]) ** 2 + (_COLUMNS - CENTER[1]) ** 2 <= RADIUS**2
# Top, left, bottom, right, as shares of the image.
BOX = np.array([np.subtract(CENTER, RADIUS), np.add(CENTER, RADIUS)]).ravel() / SIZE
_SQUARE = (abs(_ROWS - OTHER[0]) <= 7) & (abs(_COLUMNS - OTHER[1]) <= 7)


def _image():
    grey = np.full((SIZE, SIZE), 0.2)
    grey[MASK], grey[_SQUARE] = 0.7, 0.6
    return np.repeat(grey[..., None], 3, axis=-1).astype("float32")


# (64, 64, 3), from 0 to 1.
IMAGE = _image()

# Each (64, 64), from the best to the worst.
MAPS = {
    "the object": _blob(CENTER, 8),
    "a part of it": _blob(np.add(CENTER, (-7, 4)), 3),
    "around it": _blob(np.add(CENTER, (5, 6)), 20),
    "the other thing": _blob(OTHER, 6) + 0.3 * _blob(CENTER, 8),
}


def predict(images):
    """Probabilities of "no disc" and "disc", by the mean brightness of the disc alone.

    Args:
        images: Array of shape `(N, 64, 64, 3)`.

    Returns:
        Array of shape `(N, 2)`.
    """
    brightness = np.asarray(images)[:, MASK].mean(axis=(1, 2))
    disc = 1 / (1 + np.exp(-20 * (brightness - 0.45)))
    return np.stack([1 - disc, disc], axis=-1)


TARGET = 1
