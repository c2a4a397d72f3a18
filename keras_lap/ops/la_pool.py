"""Local attention pooling as a function: argument checks and dispatch."""

import operator
from collections.abc import Iterable

import numpy as np
from keras import backend, config, ops

from keras_lap.names import check_choice
from keras_lap.ops.reference import la_pool_reference

WEIGHTINGS = ("gaussian", "softmax")
GATINGS = ("score", None)
BASES = (None, "max", "avg", "first")
IMPLEMENTATIONS = ("auto", "reference")


def la_pool(
    x,
    scores,
    alpha,
    pool_size,
    strides=None,
    padding="valid",
    *,
    weighting="gaussian",
    gating="score",
    base=None,
    base_gate=None,
    data_format=None,
    implementation="auto",
):
    """Local attention pooling (LAP) of a feature map under given attention scores.

    In the window `O_u` of output pixel `u`, with `m_u = max_{p in O_u} A_p`,

        w_p = exp(-alpha^2 (m_u - A_p)^2)             weighting="gaussian"
        w_p = exp(alpha (A_p - m_u))                  weighting="softmax"
        y_u = sum_p w_p A_p X_p / sum_p w_p           gating="score"
        y_u = sum_p w_p     X_p / sum_p w_p           gating=None

    and with a base branch `P` (the pooling that stood there before)

        y_u = (1 - base_gate) P(X)_u + base_gate y_u.

    Padded pixels never carry weight. Where the best score of a window is tied, the
    first of the tied pixels in row-major order receives its gradient.

    Args:
        x: Features, `(N, *spatial, C)` with `data_format="channels_last"`,
            `(N, C, *spatial)` otherwise; 1 to 3 spatial axes; any float dtype.
        scores: Attention scores `A` in `x`'s layout with `G` channels; `G` divides
            `C` and channel group `g` is weighted by score map `g`. Usually in
            `[0, 1]`.
        alpha: Sharpness, scalar or `(G,)`, not negative. 0 averages, large values
            keep the best pixel alone.
        pool_size: Integer or one per spatial axis; `None` for one window over the
            whole map, without `strides` and `padding`.
        strides: Integer or one per spatial axis; `None` for `pool_size`.
        padding: `"valid"`, `"same"` (TensorFlow's placement; the base branch
            ignores padded pixels, as pooling layers do), or explicit zeros as one
            `(before, after)` pair per spatial axis (the base branch sees the
            zeros, as after a `ZeroPadding2D`).
        weighting: `"gaussian"` or `"softmax"`.
        gating: `"score"` or `None`.
        base: `None`, `"max"`, `"avg"` or `"first"` (the window's first pixel, which
            a strided convolution would have sampled).
        base_gate: Scalar in `[0, 1]`, required with `base`: 0 gives the base branch
            alone, 1 gives LAP alone. The two are added with these weights, so a
            value that is not finite in one branch shows at any gate.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras'
            own setting.
        implementation: `"auto"` or `"reference"`.

    Returns:
        Tensor in `x`'s layout and dtype with the pooled spatial sizes.

    Raises:
        ValueError: If an argument is unknown, or shapes do not fit each other.

    Example:

    >>> import numpy as np
    >>> import keras_lap
    >>> x = np.arange(4, dtype="float32").reshape(1, 2, 2, 1)
    >>> scores = np.array([[0, 0], [0, 1]], dtype="float32").reshape(1, 2, 2, 1)
    >>> y = keras_lap.la_pool(x, scores, alpha=100.0, pool_size=2)
    >>> float(y[0, 0, 0, 0])
    3.0

    Reference: [arXiv:2201.11808](https://arxiv.org/abs/2201.11808) for the pooling;
    `gating` and `base` are this library's own design.
    """
    check_choice("weighting", weighting, WEIGHTINGS)
    check_choice("gating", gating, GATINGS)
    check_choice("base", base, BASES)
    check_choice("implementation", implementation, IMPLEMENTATIONS)
    if (base is None) != (base_gate is None):
        raise ValueError(
            "Expected `base` and `base_gate` to be given together: pass both, or "
            f"neither for LAP alone. Received: base={base!r}, base_gate={base_gate!r}"
        )
    _check_values(
        "alpha", alpha, lambda a: (a >= 0) & np.isfinite(a), "finite, zero or positive"
    )
    _check_values("base_gate", base_gate, lambda g: (g >= 0) & (g <= 1), "in [0, 1]")
    x, scores = (ops.convert_to_tensor(tensor) for tensor in (x, scores))
    if not backend.is_float_dtype(x.dtype):
        raise ValueError(
            "Expected `x` to be of a float dtype. "
            f"Received: x.dtype={backend.standardize_dtype(x.dtype)}"
        )
    compute_dtype = backend.result_type(x.dtype, "float32")
    alpha = ops.convert_to_tensor(alpha, compute_dtype)
    if base is not None:
        base_gate = ops.convert_to_tensor(base_gate, compute_dtype)
        if base_gate.shape != ():
            raise ValueError(
                "Expected `base_gate` to be a scalar. "
                f"Received: base_gate.shape={tuple(base_gate.shape)}"
            )
    rank = len(x.shape) - 2
    if rank not in (1, 2, 3) or len(scores.shape) != rank + 2:
        raise ValueError(
            "Expected `x` and `scores` of one rank, 3 to 5: batch, 1 to 3 spatial "
            f"axes, channels. Received: x.shape={tuple(x.shape)}, "
            f"scores.shape={tuple(scores.shape)}"
        )
    channels_first = standardize_data_format(data_format) == "channels_first"
    if channels_first:
        x, scores = (ops.moveaxis(tensor, 1, -1) for tensor in (x, scores))
    if pool_size is None:
        _check_no_window_arguments(strides, padding)
    else:
        pool_size = standardize_sizes("pool_size", pool_size, rank)
        strides = pool_size if strides is None else strides
        strides = standardize_sizes("strides", strides, rank)
        padding = standardize_padding(padding, pool_size)
        check_window_fits(x.shape[1:-1], pool_size, padding)
    _check_shapes(x.shape, scores.shape, alpha.shape)
    y = la_pool_reference(
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
    )
    return ops.moveaxis(y, -1, 1) if channels_first else y


def standardize_data_format(data_format):
    """Fills in Keras' own setting for `None` and checks the value.

    Raises:
        ValueError: If it is neither `"channels_last"` nor `"channels_first"`.
    """
    if data_format is None:
        return config.image_data_format()
    check_choice("data_format", data_format, ("channels_last", "channels_first"))
    return data_format


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
        values = value if isinstance(value, Iterable) else (value,) * rank
        sizes = tuple(operator.index(size) for size in values)
    except TypeError:
        sizes = ()
    if len(sizes) != rank or min(sizes) < 1:
        raise ValueError(
            f"Expected `{name}` to be a positive integer or {rank} of them. "
            f"Received: {name}={value!r}"
        )
    return sizes


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
    """Raises a `ValueError` if a window is larger than the (padded) map."""
    if padding == "same":
        return
    extra = [(0, 0)] * len(sizes) if padding == "valid" else padding
    for size, window, pair in zip(sizes, pool_size, extra, strict=True):
        if size is not None and size + sum(pair) < window:
            raise ValueError(
                "Expected every window to fit into the map. Received: "
                f"pool_size={pool_size} on a map of {tuple(sizes)} with "
                f'padding={padding!r}. Use a smaller window, padding="same" or a '
                "global pooling."
            )


def _check_values(name, value, in_range, expected):
    """Raises a `ValueError` for a number or array out of range; tensors pass."""
    known = isinstance(value, (int, float, list, tuple, np.generic, np.ndarray))
    if known and not np.all(in_range(np.asarray(value))):
        raise ValueError(
            f"Expected `{name}` to be {expected}. Received: {name}={value}"
        )


def _check_no_window_arguments(strides, padding):
    if strides is not None or padding != "valid":
        raise ValueError(
            "Expected neither `strides` nor `padding` with `pool_size=None`, which is "
            "one window over the whole map. "
            f"Received: strides={strides!r}, padding={padding!r}"
        )


def _check_shapes(x_shape, scores_shape, alpha_shape):
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
