"""The decoy: a coloured patch in a corner of the picture."""

import numpy as np

PATCH_SIDE = 8

# Red, orange, yellow, green, cyan, blue, purple, pink, white, black.
PATCH_COLOURS = np.array(
    [
        (225, 20, 20),
        (255, 140, 0),
        (255, 235, 0),
        (0, 190, 0),
        (0, 230, 230),
        (0, 60, 255),
        (130, 0, 190),
        (255, 90, 210),
        (255, 255, 255),
        (0, 0, 0),
    ],
    np.uint8,
)


def add_patch(image, corner, colour):
    """Puts a solid square into a corner of an image.

    Args:
        image: Uint8 array of shape (height, width, 3); left unchanged.
        corner: 0 top left, 1 top right, 2 bottom left, 3 bottom right.
        colour: Row of `PATCH_COLOURS`, 0..9.

    Returns:
        A copy of the image with the patch, uint8 of the same shape, and the patch's
        (top, left, bottom, right) in pixels, the last two exclusive.
    """
    height, width, _ = image.shape
    top = (height - PATCH_SIDE) * (corner // 2)
    left = (width - PATCH_SIDE) * (corner % 2)
    bottom, right = top + PATCH_SIDE, left + PATCH_SIDE
    patched = image.copy()
    patched[top:bottom, left:right] = PATCH_COLOURS[colour]
    return patched, (top, left, bottom, right)
