"""Masks at another resolution, of which none becomes empty."""

import numpy as np

# Shares that differ by less are equal: the rest is rounding.
_ROUNDING = 1e-3


def resized_masks(masks, size):
    """Resizes masks so that large things keep their area, and thin ones stay.

    Thin things become wider, as wide as one of the new pixels at least. Inside are the
    new pixels that the mask covers by at least half of what it covers of any of them;
    by exactly half, those whose nearest pixel is inside. Masks that shrink along no
    axis get the nearest pixels.

    Args:
        masks: Boolean array `(..., h, w)`.
        size: Height and width of the result.

    Returns:
        Boolean array `(..., *size)`. A mask is empty if and only if it was before.
    """
    nearest = nearest_pixels(masks, size)
    if all(new >= old for new, old in zip(size, masks.shape[-2:], strict=True)):
        return nearest
    flat = masks.reshape(-1, *masks.shape[-2:])
    resized = nearest.reshape(-1, *nearest.shape[-2:])
    # One by one, since shares take many times the memory of flags.
    for at, mask in enumerate(flat):
        shares = _rows(_rows(mask, size[0]).T, size[1]).T
        resized[at] = are_inside(shares, shares.max(), resized[at])
    return resized.reshape(nearest.shape)


def nearest_pixels(pictures, size):
    """Takes for each pixel of another resolution the one in whose place it lies.

    Args:
        pictures: Array `(..., h, w)`.
        size: Height and width of the result.

    Returns:
        Array `(..., *size)`.
    """
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for old, new in zip(pictures.shape[-2:], size, strict=True)
    )
    return pictures[..., rows[:, None], columns]


def are_inside(shares, highest, nearest):
    """Which pixels count as inside of masks that were made smaller.

    Args:
        shares: Array or tensor of the share of each pixel that its mask covers.
        highest: The highest of each mask's shares, of a shape that broadcasts.
        nearest: Zeros and ones, or flags: whether the nearest pixel is inside.

    Returns:
        Boolean array or tensor of the shape of `shares`.
    """
    return shares > highest * (0.5 + _ROUNDING * (0.5 - nearest))


def _rows(picture, new):
    """Mean of the rows that each of so many new ones covers, `(new, w)`."""
    old, width = picture.shape
    edges = np.arange(new + 1) * old / new
    whole = np.minimum(edges.astype(int), old - 1)
    above = np.concatenate([np.zeros((1, width)), np.cumsum(picture, axis=0)])
    until = above[whole] + (edges - whole)[:, None] * picture[whole]
    return np.diff(until, axis=0) * new / old
