"""Where digits and distractors go."""

import numpy as np

_LARGEST_SHARED_PART = 0.08


def place_digit(rng, shape, side, corner):
    """Draws a place for the digit, inside the picture and clear of its corners.

    Args:
        rng: Source of randomness.
        shape: (height, width) of the digit in pixels.
        side: Side length of the picture.
        corner: Side length of the squares in the four corners to keep clear of.

    Returns:
        (top, left) of the digit.
    """
    starts = [np.arange(side - length + 1) for length in shape]
    between_corners = [
        (start >= corner) & (start + length <= side - corner)
        for start, length in zip(starts, shape, strict=True)
    ]
    top, left = rng.choice(np.argwhere(np.logical_or.outer(*between_corners)))
    return int(top), int(left)


def place_distractor(rng, shape, side, digit_place, digit_shape):
    """Draws a place for a distractor, nearly all of it outside the digit's box.

    Args:
        rng: Source of randomness.
        shape: (height, width) of the distractor in pixels.
        side: Side length of the picture.
        digit_place: (top, left) of the digit.
        digit_shape: (height, width) of the digit.

    Returns:
        (top, left) of the distractor. Up to a third of its height and of its width
        may lie beyond the edge of the picture.
    """
    starts, shared = [], []
    for length, low, extent in zip(shape, digit_place, digit_shape, strict=True):
        beyond = length // 3
        start = np.arange(-beyond, side - length + beyond + 1)
        overlap = np.minimum(start + length, low + extent) - np.maximum(start, low)
        starts.append(start)
        shared.append(overlap.clip(0))
    allowed = np.outer(*shared) <= _LARGEST_SHARED_PART * shape[0] * shape[1]
    row, column = rng.choice(np.argwhere(allowed))
    return int(starts[0][row]), int(starts[1][column])


def place_over(rng, stamp, planes, allowed):
    """Draws a place inside the picture where little is covered of what is there.

    Args:
        rng: Source of randomness.
        stamp: Bool array of shape (height, width), the pixels to put somewhere.
        planes: Bool array of shape (n, side, side), what lies in the picture.
        allowed: For each of the planes, how many of its pixels may meet the stamp's.

    Returns:
        (top, left) of the stamp, or None where there is no such place.
    """
    side = planes.shape[-1]
    spectrum = np.fft.rfft2(stamp, s=(side, side)).conj()
    met = np.fft.irfft2(np.fft.rfft2(planes) * spectrum, s=(side, side))
    met = np.rint(met)[:, : side - stamp.shape[0] + 1, : side - stamp.shape[1] + 1]
    places = np.argwhere((met <= allowed[:, None, None]).all(axis=0))
    if not len(places):
        return None
    top, left = rng.choice(places)
    return int(top), int(left)
