"""Local attention pooling and its derivatives as plain loops in float64.

Written from the formulas, pixel by pixel and channel by channel, to be read rather
than to be fast. Nothing here calls the library.
"""

import itertools
import math
import operator

import numpy as np

BASES = {"max": np.max, "avg": np.mean, "first": operator.itemgetter(0)}
# What every value of a window contributes to its base.
BASE_SHARES = {
    "max": lambda values: np.eye(len(values))[np.argmax(values)],
    "avg": lambda values: np.full(len(values), 1 / len(values)),
    "first": lambda values: np.eye(len(values))[0],
}


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
    data_format="channels_last",
):
    """`keras_lap.la_pool` with the same arguments, as a float64 NumPy array."""
    x, scores = _channels_last(x, data_format), _channels_last(scores, data_format)
    batch, *sizes, channels = x.shape
    windows = pooling_windows(sizes, pool_size, strides, padding)
    y = np.empty((batch, *window_grid(windows), channels))
    for n, (u, pixels), c in itertools.product(
        range(batch), windows.items(), range(channels)
    ):
        g = c * scores.shape[-1] // channels
        real = [p for p in pixels if lies_inside(p, sizes)]
        A = np.array([scores[n, *p, g] for p in real])
        X = np.array([x[n, *p, c] for p in real])
        w = weights(A.max() - A, of_group(alpha, g), weighting)
        pooled = np.sum(w * A * X if gating == "score" else w * X) / np.sum(w)
        if base is not None:
            seen = [x[n, *p, c] if lies_inside(p, sizes) else 0.0 for p in pixels]
            seen = X if padding == "same" else np.array(seen)
            pooled = (1 - base_gate) * BASES[base](seen) + base_gate * pooled
        y[n, *u, c] = pooled
    return np.moveaxis(y, -1, 1) if data_format == "channels_first" else y


def la_pool_gradients(
    x,
    scores,
    alpha,
    pool_size,
    strides=None,
    padding="valid",
    *,
    upstream,
    weighting="gaussian",
    gating="score",
    base=None,
    base_gate=None,
):
    """Derivatives of `sum(upstream * la_pool(...))` in closed form, channels last.

    Where the best score of a window is tied, the first pixel takes its gradient, and
    so it is with the largest feature under the base `"max"`.

    Returns:
        A tuple `(dx, dscores, dalpha)`, with a base followed by `dbase_gate`;
        `dalpha` has the shape of `alpha`.
    """
    if base is not None:
        through_base = _base_gradients(
            x, pool_size, strides, padding, base, (1 - base_gate) * upstream
        )
        lap, before = (
            la_pool(
                x,
                scores,
                alpha,
                pool_size,
                strides,
                padding,
                weighting=weighting,
                gating=gating,
                base=base,
                base_gate=part,
            )
            for part in (1.0, 0.0)
        )
        dbase_gate = np.sum(upstream * (lap - before))
        upstream = base_gate * upstream
    x, scores = np.float64(x), np.float64(scores)
    groups = scores.shape[-1]
    width = x.shape[-1] // groups
    dx, dscores, dalpha = np.zeros(x.shape), np.zeros(scores.shape), np.zeros(groups)
    windows = pooling_windows(x.shape[1:-1], pool_size, strides, padding)
    for n, (u, pixels), g in itertools.product(
        range(x.shape[0]), windows.items(), range(groups)
    ):
        group = slice(g * width, (g + 1) * width)
        real = [p for p in pixels if lies_inside(p, x.shape[1:-1])]
        dy = upstream[n, *u, group]
        A = np.array([scores[n, *p, g] for p in real])
        X = np.array([x[n, *p, group] for p in real])
        gate = A if gating == "score" else np.ones(len(A))
        best = next(i for i in range(len(A)) if A[i] == max(A))
        a, d = of_group(alpha, g), A[best] - A
        w = weights(d, a, weighting)
        W = np.sum(w)
        V = gate[:, None] * X
        y = w @ V / W
        q = (V - y) @ dy / W
        if weighting == "gaussian":
            through_weight, through_alpha = 2 * a**2 * d * w * q, 2 * a * d**2 * w * q
        else:
            through_weight, through_alpha = a * w * q, d * w * q
        for i, p in enumerate(real):
            dx[n, *p, group] += w[i] * gate[i] * dy / W
            dscores[n, *p, g] += through_weight[i]
            if gating == "score":
                dscores[n, *p, g] += w[i] * np.sum(dy * X[i]) / W
        dscores[n, *real[best], g] -= np.sum(through_weight)
        dalpha[g] -= np.sum(through_alpha)
    dalpha = dalpha if np.ndim(alpha) else np.sum(dalpha)
    if base is None:
        return dx, dscores, dalpha
    return dx + through_base, dscores, dalpha, dbase_gate


def _base_gradients(x, pool_size, strides, padding, base, upstream):
    """Derivatives of `sum(upstream * base(x))`."""
    x = np.float64(x)
    dx = np.zeros(x.shape)
    sizes = x.shape[1:-1]
    windows = pooling_windows(sizes, pool_size, strides, padding)
    for n, (u, pixels), c in itertools.product(
        range(x.shape[0]), windows.items(), range(x.shape[-1])
    ):
        if padding == "same":
            pixels = [p for p in pixels if lies_inside(p, sizes)]
        values = [x[n, *p, c] if lies_inside(p, sizes) else 0.0 for p in pixels]
        shares = BASE_SHARES[base](values)
        for p, share in zip(pixels, shares, strict=True):
            if lies_inside(p, sizes):
                dx[n, *p, c] += share * upstream[n, *u, c]
    return dx


def weights(distance, alpha, weighting):
    """Weights of pixels whose scores lie `distance` below the best of the window."""
    if weighting == "gaussian":
        return np.exp(-(alpha**2) * distance**2)
    return np.exp(-alpha * distance)


def of_group(alpha, group):
    """The sharpness of one channel group."""
    return np.float64(alpha)[group] if np.ndim(alpha) else float(alpha)


def pooling_windows(sizes, pool_size, strides=None, padding="valid"):
    """Pixels under every window, in row-major order, padding included.

    Args:
        sizes: Spatial sizes.
        pool_size: Integer, one per axis, or `None` for one window over everything.
        strides: Integer, one per axis, or `None` for `pool_size`.
        padding: `"valid"`, `"same"`, or one `(before, after)` pair per axis.

    Returns:
        Dict from output pixel to a list of input pixels; both are index tuples.
    """
    if pool_size is None:
        pool_size = sizes
    rank = len(sizes)
    pool_size = np.broadcast_to(pool_size, rank).tolist()
    strides = np.broadcast_to(pool_size if strides is None else strides, rank).tolist()
    paddings = [padding] * rank if isinstance(padding, str) else padding
    axes = [
        axis_windows(*axis)
        for axis in zip(sizes, pool_size, strides, paddings, strict=True)
    ]
    return {
        u: list(itertools.product(*(axis[i] for axis, i in zip(axes, u, strict=True))))
        for u in itertools.product(*(range(len(axis)) for axis in axes))
    }


def axis_windows(size, window, stride, padding):
    """Positions under every window along one axis; padding is outside `[0, size)`."""
    if padding == "same":
        count = math.ceil(size / stride)
        before = max((count - 1) * stride + window - size, 0) // 2
    else:
        before, after = (0, 0) if padding == "valid" else padding
        count = (before + size + after - window) // stride + 1
    return [
        range(i * stride - before, i * stride - before + window) for i in range(count)
    ]


def window_grid(windows):
    """Number of windows along each axis."""
    return tuple(last + 1 for last in max(windows))


def lies_inside(pixel, sizes):
    """Whether a pixel is real, not padding."""
    return all(0 <= p < size for p, size in zip(pixel, sizes, strict=True))


def attention_scores(scores, aggregation):
    """Attention of every pixel from its concept scores, `(N, *spatial, 1)`."""
    attention = np.empty((*scores.shape[:-1], 1))
    for pixel in np.ndindex(scores.shape[:-1]):
        missed = 1.0
        for score in np.float64(scores[pixel]):
            missed *= 1 - score
        attention[pixel] = max(scores[pixel]) if aggregation == "max" else 1 - missed
    return attention


def _channels_last(tensor, data_format):
    tensor = np.float64(tensor)
    return np.moveaxis(tensor, 1, -1) if data_format == "channels_first" else tensor
