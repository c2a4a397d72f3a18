"""`Necessity` and `Sufficiency`, and the map that they change images by, in NumPy."""

import numpy as np
from knowledge_oracles import sigmoid, softplus

from keras_lap.losses import Sufficiency


def term(kind, logits, present, outputs):
    """The losses in NumPy, `(N,)`."""
    return np.array(
        [
            of_a_sample(kind, z, state > 0, outputs)
            for z, state in zip(np.float64(logits), present, strict=True)
        ]
    )


def of_a_sample(kind, z, present, outputs):
    chosen = present if kind is Sufficiency else ~present
    if not present.any() or not (chosen.any() or outputs == "sigmoid"):
        return 0.0
    if outputs == "sigmoid":
        return np.mean(softplus(-z if kind is Sufficiency else z)[present])
    return np.logaddexp.reduce(z) - np.logaddexp.reduce(z[chosen])


def placed(maps, cells, size):
    """Bilinear interpolation in loops, `(N, H, W)` of `(N, h, w)`."""
    result = np.empty((len(maps), *size))
    for n, y, x in np.ndindex(*result.shape):
        (y0, y1, dy), (x0, x1, dx) = (
            neighbours((place + 0.5) / length, sides)
            for place, length, sides in zip((y, x), size, cells, strict=True)
        )
        upper = (1 - dx) * maps[n, y0, x0] + dx * maps[n, y0, x1]
        lower = (1 - dx) * maps[n, y1, x0] + dx * maps[n, y1, x1]
        result[n, y, x] = (1 - dy) * upper + dy * lower
    return result


def neighbours(place, cells):
    """The pixels to either side, and how far it is on the way between them."""
    centres = np.mean(cells, axis=1)
    after = np.searchsorted(centres, place)
    if after in (0, len(centres)):
        nearest = min(after, len(centres) - 1)
        return nearest, nearest, 0
    before = after - 1
    share = (place - centres[before]) / (centres[after] - centres[before])
    return before, after, share


def map_by_hand(given, size):
    """Of a list of logits, cells and present concepts."""
    samples = len(given[0][0])
    maps, known = np.ones((samples, *size)), np.zeros(samples)
    for n in range(samples):
        found = [
            placed(sigmoid(z[n : n + 1, ..., state[n] > 0]).max(-1), cells, size)[0]
            for z, cells, state in given
            if (state[n] > 0).any()
        ]
        if found:
            maps[n] = np.prod(found, axis=0) ** (1 / len(found))
            known[n] = 1
    return maps, known
