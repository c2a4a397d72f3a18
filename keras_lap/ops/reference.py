"""Local attention pooling in plain `keras.ops`: the reference for every backend.

Windows are read as one strided slice per tap, so that nothing as large as all the
windows together is ever laid out in memory.
"""

import functools
import math

from keras import config, ops

from keras_lap.ops import windows


def la_pool_reference(
    x, scores, alpha, pool_size, strides, padding, weighting, gating, base, base_gate
):
    """Pools channels-last tensors; arguments are those of `la_pool`, validated.

    The computation runs in the dtype of `alpha` and `base_gate`, which is float32 for
    half-precision features. The result is cast back.
    """
    dtype = x.dtype
    x, scores = (ops.cast(tensor, alpha.dtype) for tensor in (x, scores))
    if pool_size is None:
        y = _pool_everything(x, scores, alpha, weighting, gating)
        before = _base_everything(x, base)
    else:
        tapped = _Taps(x, scores, pool_size, strides, padding)
        y = _pool_windows(tapped, alpha, weighting, gating)
        before = _base_windows(x, tapped, base, pool_size, strides, padding)
    if base is not None:
        y = (1 - base_gate) * before + base_gate * y
    return ops.cast(y, dtype)


def _weight(distance, alpha, weighting):
    """Unnormalised weight of a pixel whose score is `distance` below the best."""
    if weighting == "gaussian":
        return ops.exp(-ops.square(alpha * distance))
    return ops.exp(-alpha * distance)


def _spread(weights, x):
    """Multiplies each channel group of `x` by its own weight map."""
    groups, channels = weights.shape[-1], x.shape[-1]
    if groups in (1, channels):
        return weights * x
    spatial = ops.shape(x)[:-1]
    grouped = ops.reshape(x, (*spatial, groups, channels // groups))
    return ops.reshape(weights[..., None] * grouped, (*spatial, channels))


class _Taps:
    """Strided views of the padded tensors, one per position inside the window."""

    def __init__(self, x, scores, pool_size, strides, padding):
        sizes = ops.shape(x)[1:-1]
        widths = windows.pad_widths(sizes, pool_size, strides, padding)
        positions = windows.taps(pool_size)

        def pad(tensor):
            if padding == "valid":
                return tensor
            return ops.pad(tensor, [(0, 0), *widths, (0, 0)])

        def cut(tensor):
            return [
                windows.slice_tap(tensor, tap, pool_size, strides) for tap in positions
            ]

        self.padded_x = pad(x)
        self.x = cut(self.padded_x)
        self.scores = cut(pad(scores))
        self.valid = [None] * len(positions)
        if padding != "valid":
            ones = ops.ones((1, *sizes, 1), dtype="float32")
            self.valid = [view > 0 for view in cut(pad(ones))]


def _keep(valid, tensor, otherwise):
    if valid is None:
        return tensor
    return ops.where(valid, tensor, ops.cast(otherwise, tensor.dtype))


def _pool_windows(tapped, alpha, weighting, gating):
    best = None
    for score, valid in zip(tapped.scores, tapped.valid, strict=True):
        score = _keep(valid, score, -math.inf)
        # Not `maximum`: on a tie the first pixel alone takes the gradient.
        best = score if best is None else ops.where(score > best, score, best)
    weights = []
    for score, valid in zip(tapped.scores, tapped.valid, strict=True):
        distance = _keep(valid, best - score, 0)
        weights.append(_keep(valid, _weight(distance, alpha, weighting), 0))
    total = sum(weights)
    y = 0
    for weight, score, x in zip(weights, tapped.scores, tapped.x, strict=True):
        share = weight / total
        y = y + _spread(share * score if gating == "score" else share, x)
    return y


def _base_windows(x, tapped, base, pool_size, strides, padding):
    if base is None:
        return None
    if base == "first":
        return _first_pixels(tapped, padding)
    if _lacks_pooling(base, len(pool_size), padding, x.dtype):
        return _pool_taps(tapped, base, padding)
    if padding != "same":
        x, padding = tapped.padded_x, "valid"
    pool = ops.max_pool if base == "max" else ops.average_pool
    return pool(x, pool_size, strides, padding, data_format="channels_last")


def _lacks_pooling(base, rank, padding, dtype):
    """Whether Keras' pooling is missing, or another one, on this backend."""
    if config.backend() == "torch":
        # It repeats pixels into the padding and averages over them as well.
        return base == "avg" and padding == "same"
    return config.backend() == "tensorflow" and rank == 3 and dtype == "float64"


def _first_pixels(tapped, padding):
    """The first pixel of each window; with `same` padding, the first real one."""
    first = tapped.x[0]
    if padding == "same":
        first = tapped.x[-1]
        for x, valid in zip(tapped.x[-2::-1], tapped.valid[-2::-1], strict=True):
            first = ops.where(valid, x, first)
    return first


def _pool_taps(tapped, base, padding):
    """Max or average pooling, tap by tap."""
    valid = tapped.valid if padding == "same" else [None] * len(tapped.x)
    views = list(zip(valid, tapped.x, strict=True))
    if base == "max":
        return functools.reduce(
            ops.maximum, [_keep(valid, x, -math.inf) for valid, x in views]
        )
    total = sum(_keep(valid, x, 0) for valid, x in views)
    return total / sum(
        1 if valid is None else ops.cast(valid, x.dtype) for valid, x in views
    )


def _pool_everything(x, scores, alpha, weighting, gating):
    flat = _flatten_space(scores)
    best = _first_maximum(flat)
    weights = _weight(best - flat, alpha, weighting)
    share = weights / ops.sum(weights, axis=1, keepdims=True)
    if gating == "score":
        share = share * flat
    y = ops.sum(_spread(share, _flatten_space(x)), axis=1)
    return ops.reshape(y, _single_pixel(x))


def _base_everything(x, base):
    axes = tuple(range(1, len(x.shape) - 1))
    if base is None:
        return None
    if base == "max":
        return ops.reshape(_first_maximum(_flatten_space(x)), _single_pixel(x))
    if base == "avg":
        # Not `mean`, which knows float64 on TensorFlow alone.
        count = math.prod(ops.shape(x)[1:-1])
        return ops.sum(x, axis=axes, keepdims=True) / ops.cast(count, x.dtype)
    return ops.reshape(_flatten_space(x)[:, 0], _single_pixel(x))


def _first_maximum(flat):
    """Largest value along axis 1. On a tie the first alone takes the gradient."""
    index = ops.expand_dims(ops.argmax(flat, axis=1), 1)
    return ops.take_along_axis(flat, index, axis=1)


def _flatten_space(tensor):
    batch, *sizes, channels = ops.shape(tensor)
    return ops.reshape(tensor, (batch, math.prod(sizes), channels))


def _single_pixel(x):
    return (ops.shape(x)[0], *[1] * (len(x.shape) - 2), x.shape[-1])
