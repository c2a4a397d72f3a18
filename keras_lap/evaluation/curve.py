"""Values along a threshold, a share of pixels or the like."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class Curve:
    """How the value of every sample changes with a quantity, such as a threshold.

    Args:
        x: float array of shape `(S,)`, all finite: the quantity, the same for all
            samples.
        y: float array of shape `(N, S)`: one line per sample, in the order of the
            samples, all NaN where the sample was left out. Both are kept as read-only
            float64 copies.
        x_name: str, name of the quantity, for axes and tables.
        y_name: str, name of what is measured.

    Raises:
        ValueError: If the shapes do not fit, `x` is not finite, or a line of `y` holds
            an infinite value, or NaN and numbers.

    Example:
    >>> from keras_lap.evaluation import Curve
    >>> nan = float("nan")
    >>> lines = [[1.0, 0.0], [nan, nan], [0.5, 0.5]]
    >>> Curve([0.2, 0.4], lines, "threshold", "IoU").mean
    array([0.75, 0.25])
    """

    x: np.ndarray
    y: np.ndarray
    x_name: str
    y_name: str

    def __post_init__(self):
        x, y = (np.array(values, dtype=np.float64) for values in (self.x, self.y))
        if x.ndim != 1 or y.ndim != 2 or y.shape[1] != len(x):
            raise ValueError(
                "Expected x of shape (S,) and y of shape (N, S), one line per sample. "
                f"Received: x.shape={x.shape}, y.shape={y.shape}"
            )
        missing = np.isnan(y)
        partly = np.flatnonzero(missing.any(axis=1) & ~missing.all(axis=1))
        if not np.isfinite(x).all() or np.isinf(y).any() or len(partly):
            raise ValueError(
                "Expected finite numbers, and lines of NaN for samples that are left "
                f"out. Received: x={x}, {int(np.isinf(y).sum())} infinite values in "
                f"y, and lines that are NaN in part: {partly.tolist()}"
            )
        for name, values in (("x", x), ("y", y)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @property
    def mean(self):
        """Mean line over the samples not left out, array `(S,)`; NaN if none is."""
        counted = self.y[~np.isnan(self.y).any(axis=1)]
        return counted.mean(axis=0) if len(counted) else np.full(len(self.x), np.nan)

    def __repr__(self):
        return (
            f"Curve({self.y_name} over {self.x_name}, samples={len(self.y)}, "
            f"points={len(self.x)})"
        )
