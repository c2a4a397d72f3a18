"""Configurations of `la_pool` over everything it accepts, and their exact results."""

import collections
import dataclasses
import math

import numpy as np
import oracle
from hypothesis import strategies as st
from keras import ops
from tolerances import assert_close, tolerance

WEIGHTINGS = ("gaussian", "softmax")
GATINGS = ("score", None)


@dataclasses.dataclass(frozen=True)
class Case:
    """One call of `la_pool`: its arguments, and how its tensors are made up."""

    batch: int
    sizes: tuple
    channels: int
    groups: int
    score_kind: str
    alpha: float | list
    base_gate: float | None
    dtype: str
    arguments: dict
    seed: int

    def values(self):
        """Tensor arguments as float64 arrays that `dtype` represents exactly."""
        rng = np.random.default_rng(self.seed)
        x_shape = self._shape(self.channels)
        scores = SCORE_KINDS[self.score_kind](rng, self._shape(self.groups))
        values = {
            "x": _rounded(4 * spaced(rng, x_shape) - 2, self.dtype),
            "scores": _rounded(scores, self.dtype),
            "alpha": np.float64(self.alpha),
        }
        if self.base_gate is not None:
            values["base_gate"] = np.float64(self.base_gate)
        return values

    def tensors(self):
        """The same, with features and scores as tensors of `dtype`."""
        values = self.values()
        for name in ("x", "scores"):
            values[name] = ops.cast(values[name], self.dtype)
        return values

    def windows(self):
        """Pixels under every window."""
        geometry = ("pool_size", "strides", "padding")
        return oracle.pooling_windows(
            self.sizes,
            **{key: self.arguments[key] for key in geometry if key in self.arguments},
        )

    def _shape(self, channels):
        if self.arguments["data_format"] == "channels_first":
            return (self.batch, channels, *self.sizes)
        return (self.batch, *self.sizes, channels)


def _rounded(array, dtype):
    return np.float64(ops.convert_to_numpy(ops.cast(array, dtype)))


def spaced(rng, shape):
    """Distinct values in (0, 1), evenly spaced, none of them 1/2, in random order."""
    size = math.prod(shape)
    return ((rng.permutation(size) + 0.25) / size).reshape(shape)


SCORE_KINDS = {
    "spaced": spaced,
    "tied": lambda rng, shape: rng.integers(0, 4, shape) / 4,
    "constant": lambda rng, shape: np.full(shape, 0.625),
    "signed": lambda rng, shape: rng.normal(size=shape),
}


@st.composite
def geometries(draw, kind, rank, max_size, max_window):
    """Spatial sizes, and pooling arguments that fit them."""
    sizes = draw(st.tuples(*[st.integers(1, max_size)] * rank))
    if kind == "global":
        return sizes, {"pool_size": None}
    pool_size = draw(st.tuples(*[st.integers(1, max_window)] * rank))
    strides = draw(st.none() | st.tuples(*[st.integers(1, 4)] * rank))
    arguments = {"pool_size": pool_size, "strides": strides, "padding": kind}
    pairs = [(0, 0)] * rank
    if kind == "explicit":
        sides = [st.integers(0, window - 1) for window in pool_size]
        pairs = draw(st.tuples(*[st.tuples(side, side) for side in sides]))
        arguments["padding"] = pairs
    if kind != "same":
        axes = zip(sizes, pool_size, pairs, strict=True)
        sizes = tuple(max(size, window - sum(pair)) for size, window, pair in axes)
    return sizes, arguments


@st.composite
def cases(
    draw,
    dtypes=("float64",),
    data_formats=("channels_last", "channels_first"),
    score_kinds=tuple(SCORE_KINDS),
    bases=(None, "max", "avg", "first"),
    alphas=(0.0, 0.3, 2.0, 7.0, 100.0),
    max_size=8,
    max_window=5,
    max_batch=2,
    ranks=(1, 2, 2, 3),
    channels_and_groups=((1, 1), (3, 1), (4, 1), (2, 2), (4, 2), (6, 2), (3, 3)),
):
    """Configurations over everything that `la_pool` accepts."""
    # Options without an order to shrink along are picked evenly by this.
    pick = draw(st.randoms(use_true_random=True))
    rank = pick.choice(ranks)
    if rank == 3:
        max_size, max_window = min(max_size, 4), min(max_window, 3)
    kind = pick.choice(("valid", "same", "explicit", "global"))
    sizes, arguments = draw(geometries(kind, rank, max_size, max_window))
    channels, groups = pick.choice(channels_and_groups)
    base = pick.choice(bases)
    arguments |= {
        "weighting": pick.choice(WEIGHTINGS),
        "gating": pick.choice(GATINGS),
        "data_format": pick.choice(data_formats),
        "base": base,
    }
    alpha = [pick.choice(alphas) for _ in range(groups)]
    return Case(
        batch=draw(st.integers(1, max_batch)),
        sizes=sizes,
        channels=channels,
        groups=groups,
        score_kind=pick.choice(score_kinds),
        dtype=pick.choice(dtypes),
        alpha=pick.choice((alpha[0], alpha)),
        base_gate=None if base is None else pick.choice((0.0, 0.3, 0.3, 1.0)),
        arguments=arguments,
        seed=pick.randrange(1000),
    )


def random_upstream(case):
    """A gradient to send back through the pooling, of its output's shape."""
    grid = oracle.window_grid(case.windows())
    shape = (case.batch, *grid, case.channels)
    if case.arguments["data_format"] == "channels_first":
        shape = (case.batch, case.channels, *grid)
    upstream = np.random.default_rng(case.seed).normal(size=shape)
    return _rounded(upstream, case.dtype)


def gradient_tolerances(case, upstream):
    """Tolerances by argument, from the number and size of the terms in each sum."""
    values, windows = case.values(), case.windows()
    window = len(next(iter(windows.values())))
    width = case.channels // case.groups
    covering = collections.Counter(p for pixels in windows.values() for p in pixels)
    overlap = max(covering.values())
    alpha, spread = np.max(case.alpha), np.ptp(values["scores"])
    gate = max(1, np.abs(values["scores"]).max())
    dy = np.abs(upstream).max()
    product = 2 * width * dy * np.abs(values["x"]).max() * gate
    # A weight changes with its score by 2 alpha^2 d w < alpha, or by alpha w, and with
    # alpha by 2 alpha d^2 w < 2 d, or by d w. Errors of different windows are
    # independent and add up in quadrature.
    summands = case.batch * len(windows) * case.groups
    alpha_dtype = "float64" if case.dtype == "float64" else "float32"
    return {
        "x": tolerance(case.dtype, overlap + window, dy * gate),
        "scores": tolerance(
            case.dtype, window + width, math.sqrt(overlap) * product * (1 + alpha)
        ),
        "alpha": tolerance(
            alpha_dtype, window + width, math.sqrt(summands) * product * spread
        ),
        "base_gate": tolerance(
            alpha_dtype, window + width, math.sqrt(summands) * product
        ),
    }


def assert_equal_the_oracle(results, case, upstream):
    """Compares `y`, `dx`, `dscores`, `dalpha` and `dgate` with the exact values."""
    __tracebackhide__ = True
    values, arguments = case.values(), dict(case.arguments)
    y, dx, dscores, dalpha, dgate = results
    window = len(next(iter(case.windows().values())))
    magnitude = np.abs(values["x"]).max() * max(1, np.abs(values["scores"]).max())
    expected = oracle.la_pool(**values, **arguments)
    assert y.dtype == dx.dtype == case.dtype
    assert_close(y, expected, **tolerance(case.dtype, window, magnitude))
    del arguments["data_format"]
    expected = oracle.la_pool_gradients(**values, **arguments, upstream=upstream)
    tolerances = gradient_tolerances(case, upstream).values()
    gradients = (dx, dscores, dalpha, dgate)
    for actual, value, allowed in zip(gradients, expected, tolerances, strict=False):
        assert_close(actual, value, **allowed)
    if case.arguments["base"] is None:
        assert dgate == 0
