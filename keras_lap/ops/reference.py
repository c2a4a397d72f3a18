"""Local attention pooling in plain `keras.ops`: the reference for every backend.

Windows are read as one strided slice per tap, cut when its turn comes, so that a
forward pass lays out nothing as large as all the windows together.

It runs on the symbolic tensors of a Functional model too, and so writes itself out as
operations of Keras alone. Their batch size may be unknown, and spatial sizes too unless
the zeros of `padding="same"` depend on them.
"""

import functools
import math
import operator
from types import NoneType

import keras
import numpy as np
from keras import backend, config, ops

from keras_lap.ops import windows
from keras_lap.ops.repeats_border import repeats_border
from keras_lap.utils.float_dtypes import compute_dtype


def la_pool_reference(
    x,
    scores,
    alpha,
    pool_size,
    strides,
    padding,
    weighting,
    gating,
    base,
    base_gate,
    *,
    max_by_taps=False,
):
    """Pools channels-last tensors; arguments are those of `la_pool`, validated.

    The computation runs in float32 for half-precision features, and the result is cast
    back. `alpha` and `base_gate` are tensors of the dtype computed in, or numbers.
    `max_by_taps` keeps Keras' max pooling out, whatever it costs.
    """
    dtype = x.dtype
    x, scores = (ops.cast(tensor, compute_dtype(dtype)) for tensor in (x, scores))
    if _is_everything(x, pool_size, strides, padding):
        y = _pool_everything(x, scores, alpha, weighting, gating)
        before = _base_everything(x, base)
    else:
        tapped = _Taps(x, scores, pool_size, strides, padding)
        y = _pool_windows(tapped, alpha, weighting, gating)
        by_taps = max_by_taps and base == "max"
        before = _base_windows(x, tapped, base, pool_size, strides, padding, by_taps)
    if base is not None:
        y = (1 - base_gate) * before + base_gate * y
    return ops.cast(y, dtype)


def base_reference(x, pool_size, strides, padding, base):
    """The base branch of `la_pool` alone; arguments are validated."""
    if _is_everything(x, pool_size, strides, padding):
        return _base_everything(x, base)
    tapped = _Taps(x, x, pool_size, strides, padding)
    return _base_windows(x, tapped, base, pool_size, strides, padding)


def _is_everything(x, pool_size, strides, padding):
    """Whether there is one window, of all pixels and no others.

    Pooled at once, it takes a few operations instead of a few per tap to compile.
    """
    if pool_size is None or tuple(x.shape[1:-1]) != tuple(pool_size):
        return pool_size is None
    return not any(map(any, windows.pad_widths(pool_size, pool_size, strides, padding)))


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


def _assert_fit(sizes, pool_size, widths):
    """Lets a graph of TensorFlow fail at maps smaller than a window, but under XLA."""
    for size, window, pair in zip(sizes, pool_size, widths, strict=True):
        if config.backend() == "tensorflow" and not isinstance(size, int | NoneType):
            import tensorflow as tf

            message = f"Expected every window to fit into the map: {pool_size=}."
            tf.debugging.assert_greater_equal(size + sum(pair), window, message)


class _Taps:
    """The padded tensors, and strided views of them.

    Attributes:
        padded_x: The features behind explicit or implied padding.
        positions: Pairs of a position inside the window and the mask of the windows
            that have a pixel there, or `None` if all have one.
    """

    def __init__(self, x, scores, pool_size, strides, padding):
        sizes = ops.shape(x)[1:-1]
        # Where the zeros are certain without the size, one is as good as any.
        known = [1 if size is None else size for size in sizes]
        widths = windows.pad_widths(known, pool_size, strides, padding)
        if padding != "same":
            _assert_fit(sizes, pool_size, widths)
        widths = [(0, 0), *widths, (0, 0)]

        def pad(tensor):
            return tensor if padding == "valid" else ops.pad(tensor, widths)

        self.padded_x = pad(x)
        self._padded_scores = pad(scores)
        self._windows = (pool_size, strides)
        if padding == "valid":
            real = None
        elif all(isinstance(size, int) for size in sizes):
            real = np.pad(np.ones((1, *sizes, 1), bool), widths)
        else:
            real = pad(ops.ones_like(x[:1, ..., :1], dtype="float32"))
        taps = windows.taps(pool_size)
        self.positions = [(tap, self._mask(real, tap)) for tap in taps]

    def x(self, tap):
        """The features at one position of every window."""
        return self._cut(self.padded_x, tap)

    def scores(self, tap):
        """The scores at one position of every window."""
        return self._cut(self._padded_scores, tap)

    def _mask(self, real, tap):
        if real is None:
            return None
        mask = self._cut(real, tap)
        if isinstance(mask, np.ndarray):
            return None if mask.all() else mask
        return mask > 0

    def _cut(self, padded, tap):
        return windows.slice_tap(padded, tap, *self._windows)


def _keep(valid, tensor, otherwise):
    """A number instead of padded pixels; `valid` is `None` where there are none."""
    if valid is None:
        return tensor
    # Not a tensor, which an exporter to ONNX would take for an input of the graph.
    otherwise = np.asarray(otherwise, backend.standardize_dtype(tensor.dtype))
    return ops.where(valid, tensor, otherwise)


def _pool_windows(tapped, alpha, weighting, gating):
    # Every window holds a score, and an infinity would alarm those who look for one.
    lowest = np.finfo(backend.standardize_dtype(tapped.padded_x.dtype)).min
    best = functools.reduce(
        _first_larger,
        (_keep(valid, tapped.scores(tap), lowest) for tap, valid in tapped.positions),
    )

    # Sums of large features could overflow. A power of two rounds nothing.
    scale = 0.5 ** len(tapped.positions).bit_length()

    def summands(tap, valid):
        score = tapped.scores(tap)
        distance = _keep(valid, best - score, 0)
        weight = _keep(valid, scale * _weight(distance, alpha, weighting), 0)
        passed = weight * score if gating == "score" else weight
        return weight, _spread(passed, tapped.x(tap))

    total, y = functools.reduce(
        lambda sums, more: tuple(map(operator.add, sums, more)),
        (summands(*position) for position in tapped.positions),
    )
    return _spread(1 / total, y)


def _first_larger(one, other):
    """The larger of two values. On a tie the first alone takes the gradient."""
    if isinstance(one, keras.KerasTensor):
        # A single operation; exporters to ONNX make a sum of the other, with 0 * inf.
        return ops.maximum(one, other)
    return ops.where(other > one, other, one)


def _base_windows(x, tapped, base, pool_size, strides, padding, by_taps=False):
    if base is None:
        return None
    if base == "first":
        return _first_pixels(tapped, padding)
    if (
        by_taps
        or _lacks_pooling(x)
        or _derives_wrongly(x, base, strides, padding)
        or repeats_border(base, x.shape[1:-1], pool_size, strides, padding)
    ):
        return _pool_taps(tapped, base, padding)
    if padding != "same":
        x, padding = tapped.padded_x, "valid"
    data_format = "channels_last"
    if isinstance(x, keras.KerasTensor):
        # A file gives an operation lists for tuples, which JAX does not take.
        kind = "Max" if base == "max" else "Average"
        make = getattr(keras.layers, f"{kind}Pooling{len(pool_size)}D")
        return make(pool_size, strides, padding, data_format, dtype=x.dtype)(x)
    pool = ops.max_pool if base == "max" else ops.average_pool
    return pool(x, pool_size, strides, padding, data_format=data_format)


def _lacks_pooling(x):
    """Whether Keras has no pooling of such maps where this runs."""
    volumes = len(x.shape) == 5
    if isinstance(x, keras.KerasTensor):
        # What is written out may go on to LiteRT, which pools no volumes.
        return volumes
    return config.backend() == "tensorflow" and volumes and _is_float64(x)


def _derives_wrongly(x, base, strides, padding):
    """Whether second derivatives of Keras' pooling may be wrong.

    In graphs of TensorFlow 2.21 those of max pooling are, now and then, where maps keep
    their size.
    """
    if isinstance(x, keras.KerasTensor) or config.backend() != "tensorflow":
        return False
    return base == "max" and padding == "same" and max(strides) == 1


def _is_float64(x):
    return backend.standardize_dtype(x.dtype) == "float64"


def _first_pixels(tapped, padding):
    """The first pixel of each window; with `same` padding, the first real one."""
    if padding != "same":
        return tapped.x(tapped.positions[0][0])
    (last, _), *others = reversed(tapped.positions)
    first = tapped.x(last)
    for tap, valid in others:
        x = tapped.x(tap)
        first = x if valid is None else ops.where(valid, x, first)
    return first


def _pool_taps(tapped, base, padding):
    """Max or average pooling, tap by tap."""
    positions = tapped.positions
    if padding != "same":
        positions = [(tap, None) for tap, _ in positions]
    otherwise = -math.inf if base == "max" else 0
    views = (_keep(valid, tapped.x(tap), otherwise) for tap, valid in positions)
    if base == "max":
        return functools.reduce(ops.maximum, views)
    total = functools.reduce(operator.add, views)
    return total / sum(_number(valid, total) for _, valid in positions)


def _number(valid, x):
    """1 for a pixel and 0 for padding, in the dtype of `x`."""
    if valid is None:
        return 1
    if isinstance(x, keras.KerasTensor) and isinstance(valid, np.ndarray):
        return valid.astype(x.dtype)
    return ops.cast(valid, x.dtype)


def _pool_everything(x, scores, alpha, weighting, gating):
    axes = _spatial_axes(x)
    weights = _weight(_first_maximum(scores) - scores, alpha, weighting)
    share = weights / ops.sum(weights, axis=axes, keepdims=True)
    if gating == "score":
        share = share * scores
    return ops.sum(_spread(share, x), axis=axes, keepdims=True)


def _base_everything(x, base):
    axes = _spatial_axes(x)
    if base is None:
        return None
    if base == "max":
        return _first_maximum(x)
    if base == "first":
        # Not as slices of one pixel, whose size is unknown where that of `x` is.
        pixel = x[(slice(None), *[0] * len(axes))]
        for axis in axes:
            pixel = ops.expand_dims(pixel, axis)
        return pixel
    if isinstance(x, keras.KerasTensor):
        return ops.mean(x, axis=axes, keepdims=True)
    # Not `mean`, which knows float64 on TensorFlow alone.
    count = math.prod(ops.shape(x)[1:-1])
    return ops.sum(x, axis=axes, keepdims=True) / ops.cast(count, x.dtype)


def _first_maximum(maps):
    """Largest value of each map. On a tie the first pixel alone takes the gradient."""
    if isinstance(maps, keras.KerasTensor):
        # One operation, for any size.
        return ops.max(maps, axis=_spatial_axes(maps), keepdims=True)
    batch, *sizes, channels = ops.shape(maps)
    flat = ops.reshape(maps, (batch, math.prod(sizes), channels))
    # Some take 0 for larger than -0.
    unsigned = ops.where(flat == 0, ops.zeros_like(flat), flat)
    index = ops.expand_dims(ops.argmax(unsigned, axis=1), 1)
    best = ops.take_along_axis(flat, index, axis=1)
    return ops.reshape(best, (batch, *[1] * len(sizes), channels))


def _spatial_axes(x):
    return tuple(range(1, len(x.shape) - 1))
