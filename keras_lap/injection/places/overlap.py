"""How much of a pixel lies between two places."""

from keras import ops

# A share of a pixel up to this is an error of rounding.
TOUCHED = 1e-4


def overlap(begin, end, pixels, xp=ops):
    """Share of each pixel that lies between two places, 0 where it is not touched.

    Args:
        begin: The first place, in pixels.
        end: The second, of the same shape.
        pixels: Numbers of the pixels, of a shape that goes along with these.
        xp: `numpy` or `keras.ops`.
    """
    share = xp.minimum(end, pixels + 1) - xp.maximum(begin, pixels)
    return xp.where(share > TOUCHED, share, 0.0)
