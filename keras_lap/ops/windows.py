"""Pooling windows: where they lie, which pixels of them exist, what they cut out.

Everything here works on channels-last tensors of any spatial rank.
"""

import itertools

from keras import ops


def same_padding(size, window, stride):
    """Zeros before and after one axis so that it gives `ceil(size / stride)` windows.

    This is TensorFlow's rule: an odd total puts the extra pixel at the end.

    Args:
        size: Axis length, an integer or a scalar integer tensor.
        window: Window length.
        stride: Step between windows.

    Returns:
        A pair `(before, after)`.
    """
    total = (-(-size // stride) - 1) * stride + window - size
    total = max(total, 0) if isinstance(total, int) else ops.maximum(total, 0)
    before = total // 2
    return before, total - before


def same_depends_on_size(window, stride):
    """Whether the zeros of `padding="same"` along an axis depend on its length.

    They do not at stride 1, nor for windows of at most two pixels, where all of them
    come after and one too many does no harm.

    Args:
        window: Window length.
        stride: Step between windows.
    """
    return stride > 1 and window > 2


def pad_widths(sizes, pool_size, strides, padding):
    """Resolves a padding argument to one `(before, after)` pair per spatial axis.

    Args:
        sizes: Spatial sizes; integers, `None` or scalar tensors.
        pool_size: Window sizes.
        strides: Strides.
        padding: `"valid"`, `"same"`, or one pair of integers per spatial axis.

    Returns:
        A list of pairs.
    """
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    if padding == "same":
        axes = zip(sizes, pool_size, strides, strict=True)
        return [same_padding(*axis) for axis in axes]
    return [tuple(pair) for pair in padding]


def output_sizes(sizes, pool_size, strides, padding):
    """Number of windows along each spatial axis (`None` where the size is unknown)."""
    known = [0 if size is None else size for size in sizes]
    widths = pad_widths(known, pool_size, strides, padding)
    return tuple(
        None if size is None else (size + sum(width) - window) // stride + 1
        for size, window, stride, width in zip(
            sizes, pool_size, strides, widths, strict=True
        )
    )


def taps(pool_size):
    """Positions inside a window, in row-major order."""
    return list(itertools.product(*(range(window) for window in pool_size)))


def slice_tap(tensor, tap, pool_size, strides):
    """The pixel at position `tap` of every window, as a strided view.

    Args:
        tensor: Padded tensor `(N, *spatial, C)`.
        tap: Position inside the window, one integer per spatial axis.
        pool_size: Window sizes.
        strides: Strides.

    Returns:
        Tensor `(N, *output_sizes, C)`.
    """
    cuts = tuple(
        slice(offset, offset - window + 1 or None, stride)
        for offset, window, stride in zip(tap, pool_size, strides, strict=True)
    )
    return tensor[(slice(None), *cuts)]
