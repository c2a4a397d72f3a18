"""Where Keras' average pooling is another one on torch."""

from keras import config

from keras_lap.ops.windows import pad_widths


def repeats_border(base, sizes, pool_size, strides, padding):
    """Whether Keras' pooling averages over repeated pixels of the border here.

    On torch it does with `padding="same"` where an axis gets more zeros behind than
    before.

    Args:
        base: `"max"` or `"avg"`.
        sizes: Spatial sizes; what is unknown may be uneven.
        pool_size: Window sizes.
        strides: Strides.
        padding: `"valid"`, `"same"`, or one pair of integers per spatial axis.
    """
    if config.backend() != "torch" or base != "avg" or padding != "same":
        return False
    if not all(isinstance(size, int) for size in sizes):
        return True
    widths = pad_widths(sizes, pool_size, strides, padding)
    return any(before != after for before, after in widths)
