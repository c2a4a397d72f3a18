"""Arguments of the pooling: filled in, checked, and refused in plain words."""

import math
import operator
from collections.abc import Iterable
from types import NoneType

import numpy as np
from keras import backend

WEIGHTINGS = ("gaussian", "softmax")
GATINGS = ("score", None)
BASES = (None, "max", "avg", "first")
# A window's weights are held at once.
LARGEST_WINDOW = 2**20
IMPLEMENTATIONS = ("auto", "fused", "reference")


def standardize_sizes(name, value, rank):
    """Turns an integer or a sequence of them into a tuple of `rank` positive ones.

    Args:
        name: Argument name for the error message.
        value: Integer, or sequence of `rank` integers.
        rank: Number of spatial axes.

    Raises:
        ValueError: If there are not `rank` positive integers.
    """
    try:
        values = tuple(value) if isinstance(value, Iterable) else (value,) * rank
        sizes = tuple(operator.index(size) for size in values)
    except TypeError:
        values = sizes = ()
    if len(sizes) != rank or min(sizes) < 1 or any(v is True for v in values):
        raise ValueError(
            f"Expected `{name}` to be a positive integer or {rank} of them. "
            f"Received: {name}={value!r}"
        )
    return sizes


def standardize_pool_size(value, rank):
    """Turns the size of a window into a tuple.

    Args:
        value: Integer, or sequence of `rank` integers.
        rank: Number of spatial axes.

    Raises:
        ValueError: If there are not `rank` positive integers, or if the window is of
            more than `LARGEST_WINDOW` pixels.
    """
    pool_size = standardize_sizes("pool_size", value, rank)
    if math.prod(pool_size) > LARGEST_WINDOW:
        raise ValueError(
            f"Expected a window of at most {LARGEST_WINDOW} pixels. Received: "
            f"pool_size={pool_size}. A global pooling takes maps of any size."
        )
    return pool_size


def standardize_padding(padding, pool_size):
    """Checks a padding argument.

    Args:
        padding: `"valid"`, `"same"`, or one `(before, after)` pair per axis.
        pool_size: Tuple of window sizes.

    Raises:
        ValueError: If it is none of these, or if a window could lie in the padding
            altogether, where there is nothing to pay attention to.
    """
    if isinstance(padding, str) and padding.lower() in ("valid", "same"):
        return padding.lower()
    try:
        pairs = tuple(
            (operator.index(before), operator.index(after)) for before, after in padding
        )
    except (TypeError, ValueError):
        pairs = ()
    if len(pairs) != len(pool_size) or any(min(pair) < 0 for pair in pairs):
        raise ValueError(
            'Expected `padding` to be "valid", "same" or one (before, after) pair of '
            f"non-negative integers per spatial axis. Received: padding={padding!r}"
        )
    if any(max(pair) >= size for pair, size in zip(pairs, pool_size, strict=True)):
        raise ValueError(
            "Expected `padding` to be smaller than the window on every side, so that "
            f"each window holds a real pixel. Received: padding={padding!r}, "
            f"pool_size={pool_size}"
        )
    return pairs


def check_window_fits(sizes, pool_size, padding):
    """Raises a `ValueError` if a window is larger than the map or all padding."""
    if padding == "same":
        return
    if padding != "valid" and 0 in sizes:
        raise ValueError(
            "Expected a padded map to hold a pixel. "
            f"Received: a map of {tuple(sizes)} with padding={padding!r}"
        )
    extra = [(0, 0)] * len(sizes) if padding == "valid" else padding
    for size, window, pair in zip(sizes, pool_size, extra, strict=True):
        if size is not None and size + sum(pair) < window:
            raise ValueError(
                "Expected every window to fit into the map. Received: "
                f"pool_size={pool_size} on a map of {tuple(sizes)} with "
                f'padding={padding!r}. Use a smaller window, padding="same" or a '
                "global pooling."
            )


def standardize_window(x_shape, pool_size, strides, padding):
    """Fills in and checks the arguments that say where the windows lie.

    Args:
        x_shape: Shape of the features, channels last, sizes may be `None`.
        pool_size: Integer, one per spatial axis, or `None` for a global window.
        strides: Integer, one per spatial axis, or `None` for `pool_size`.
        padding: As for `standardize_padding`.

    Returns:
        A tuple `(pool_size, strides, padding)`; the first two are tuples, or `None`
        for one window over the whole map.

    Raises:
        ValueError: If an argument is malformed, or if no window fits into the map.
    """
    sizes = x_shape[1:-1]
    if pool_size is None:
        _check_global_window(sizes, strides, padding)
        return None, None, "valid"
    pool_size = standardize_pool_size(pool_size, len(sizes))
    strides = pool_size if strides is None else strides
    strides = standardize_sizes("strides", strides, len(sizes))
    padding = standardize_padding(padding, pool_size)
    check_window_fits(sizes, pool_size, padding)
    return pool_size, strides, padding


def check_sharpness(alpha):
    """Raises a `ValueError` if `alpha`, where known, is negative or not finite."""
    expected = "finite, zero or positive, a number or one per score map"
    _check_values("alpha", alpha, lambda a: (a >= 0) & np.isfinite(a), expected)


def check_gate(base, base_gate):
    """Raises a `ValueError` if `base` and its gate are not both there and in range."""
    if (base is None) != (base_gate is None):
        raise ValueError(
            "Expected `base` and `base_gate` to be given together: pass both, or "
            f"neither for LAP alone. Received: base={base!r}, base_gate={base_gate!r}"
        )
    if base is not None:
        _check_values(
            "base_gate", base_gate, lambda g: (g >= 0) & (g <= 1), "a number in [0, 1]"
        )


def check_dtype(x):
    """Raises a `ValueError` if the features are not of a float dtype."""
    if not backend.is_float_dtype(x.dtype):
        raise ValueError(
            "Expected `x` to be of a float dtype. "
            f"Received: x.dtype={backend.standardize_dtype(x.dtype)}"
        )


def check_ranks(**tensors):
    """Raises a `ValueError` if a graph of TensorFlow does not know a tensor's rank."""
    for name, tensor in tensors.items():
        if getattr(tensor.shape, "rank", 0) is None:
            raise ValueError(
                f"Expected the rank of `{name}` to be known. Received: {name}.shape="
                f"{tensor.shape}. Give it with `tf.ensure_shape`, or in the signature."
            )


def check_shapes(x_shape, scores_shape, alpha_shape, gate_shape=None):
    """Checks that the tensors fit each other; sizes may be `None`.

    Args:
        x_shape: `(N, *spatial, C)`.
        scores_shape: `(N, *spatial, G)`.
        alpha_shape: `()` or `(G,)`.
        gate_shape: `()`, or `None` without a base branch.

    Raises:
        ValueError: If they do not.
    """
    if len(x_shape) not in (3, 4, 5) or len(scores_shape) != len(x_shape):
        raise ValueError(
            "Expected `x` and `scores` of one rank, 3 to 5: batch, 1 to 3 spatial "
            f"axes, channels. Received: x.shape={tuple(x_shape)}, "
            f"scores.shape={tuple(scores_shape)}"
        )
    if gate_shape is not None and tuple(gate_shape) != ():
        raise ValueError(
            "Expected `base_gate` to be a scalar. "
            f"Received: base_gate.shape={tuple(gate_shape)}"
        )
    *x_pixels, channels = x_shape
    *scored_pixels, groups = scores_shape
    if any(
        a is not None and b is not None and a != b
        for a, b in zip(x_pixels, scored_pixels, strict=True)
    ):
        raise ValueError(
            "Expected one score per pixel of `x`. Received: batch and spatial sizes "
            f"{tuple(x_pixels)} for `x` and {tuple(scored_pixels)} for `scores`"
        )
    if channels is None or groups is None:
        raise ValueError(
            "Expected the numbers of channels and of score maps to be known. Received: "
            f"{channels} and {groups}. Give `keras.Input` the number of channels."
        )
    if not channels or not groups or channels % groups:
        raise ValueError(
            "Expected the number of score maps to divide the number of channels, "
            f"since each serves one channel group. Received: {groups} score maps "
            f"for {channels} channels"
        )
    if tuple(alpha_shape) not in ((), (groups,)):
        raise ValueError(
            "Expected `alpha` to be a scalar or to hold one value per score map, "
            f"of which there are {groups}. Received: alpha.shape={tuple(alpha_shape)}"
        )


def _check_values(name, value, in_range, expected):
    """Raises a `ValueError` for a number or array out of range; tensors pass."""
    kinds = (int, float, str, NoneType, list, tuple, np.generic, np.ndarray)
    if not isinstance(value, kinds):
        return
    try:
        is_in_range = np.all(in_range(np.asarray(value)))
    except TypeError:
        is_in_range = False
    if not is_in_range:
        raise ValueError(
            f"Expected `{name}` to be {expected}. Received: {name}={value!r}"
        )


def _check_global_window(sizes, strides, padding):
    if strides is not None or str(padding).lower() != "valid":
        raise ValueError(
            "Expected neither `strides` nor `padding` with `pool_size=None`, which is "
            "one window over the whole map. "
            f"Received: strides={strides!r}, padding={padding!r}"
        )
    if 0 in sizes:
        raise ValueError(
            "Expected a global window to hold a pixel. "
            f"Received: a map of {tuple(sizes)}"
        )
