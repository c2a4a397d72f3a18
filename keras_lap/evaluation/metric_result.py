"""What every metric returns."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from keras_lap.evaluation.curve import Curve
from keras_lap.utils.standardize_count import standardize_count

# About as many values are drawn at once.
_DRAWN = 2**18


@dataclass(frozen=True, eq=False, repr=False)
class MetricResult:
    """The value of a metric on every sample, and its mean.

    Args:
        values: float array of shape `(N,)`, one value per sample in the order of the
            samples, NaN where the sample was left out because the metric has no
            meaning there. It is kept as a read-only float64 copy.
        curve: `Curve` of the same samples, of metrics that have one. Defaults to
            `None`.

    Raises:
        ValueError: If `values` is not of rank 1 or holds an infinite value, or the
            curve is of another number of samples.

    Example:
    >>> from keras_lap.evaluation import MetricResult
    >>> result = MetricResult([1.0, 0.0, float("nan"), 1.0, 1.0])
    >>> result.mean, result.counted, result.left_out
    (0.75, 4, 1)
    """

    values: np.ndarray
    curve: Curve | None = None

    def __post_init__(self):
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 1:
            raise ValueError(
                "Expected one value per sample, of shape (N,). "
                f"Received: values.shape={values.shape}"
            )
        if np.isinf(values).any():
            raise ValueError(
                "Expected finite values, or NaN for a sample that is left out. "
                f"Received: {int(np.isinf(values).sum())} infinite values"
            )
        if self.curve is not None and len(self.curve.y) != len(values):
            raise ValueError(
                "Expected a curve with one line per value. Received: "
                f"{len(values)} values and a curve of {len(self.curve.y)} lines"
            )
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @property
    def counted(self):
        """Number of samples that the mean is taken over."""
        return int(np.count_nonzero(~np.isnan(self.values)))

    @property
    def left_out(self):
        """Number of samples that have no value."""
        return len(self.values) - self.counted

    @property
    def mean(self):
        """Mean over the counted samples, NaN if there are none."""
        return float(np.nanmean(self.values)) if self.counted else float("nan")

    def interval(self, level=0.95, resamples=2000, seed=0):
        """Bootstrap confidence interval of the mean.

        The counted samples are drawn anew with replacement `resamples` times; the
        interval runs between the quantiles `(1 - level) / 2` and `(1 + level) / 2` of
        the means of these draws (the percentile interval of Efron and Tibshirani,
        "An Introduction to the Bootstrap", 1993, chapter 13). It covers the choice of
        the samples, not the training of the model.

        Of equal values it has no width, which does not make their mean certain: whoever
        hits in all of `n` samples may still miss in a share of up to about `3 / n` of
        all that are like them, at the level of 95 % (Hanley and Lippman-Hand, "If
        Nothing Goes Wrong, Is Everything All Right?", JAMA 249, 1983). What other
        values a metric may have is not known here, so no width is made up.

        Args:
            level: float between 0 and 1, the confidence level. Defaults to `0.95`.
            resamples: int, number of draws. Defaults to `2000`.
            seed: int, seed of the draws. Defaults to `0`.

        Returns:
            Two floats `(low, high)`, both NaN if no sample is counted.

        Raises:
            ValueError: If `level` is not between 0 and 1 or `resamples` is below 1.

        Example:
        >>> from keras_lap.evaluation import MetricResult
        >>> low, high = MetricResult([0.0, 1.0] * 50).interval()
        >>> 0.38 < low < 0.42 and 0.58 < high < 0.62
        True
        """
        if not 0 < level < 1:
            raise ValueError(
                f"Expected a level between 0 and 1, such as 0.95. Received: {level=}"
            )
        resamples = standardize_count("resamples", resamples)
        if not self.counted:
            return float("nan"), float("nan")
        counted = self.values[~np.isnan(self.values)]
        generator = np.random.default_rng(seed)
        # A part at a time, so that millions of values need no memory for all draws.
        rows = math.ceil(_DRAWN / len(counted))
        means = np.concatenate(
            [
                generator.choice(counted, (min(rows, left), len(counted))).mean(axis=1)
                for left in range(resamples, 0, -rows)
            ]
        )
        low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def minus(self, other):
        """The differences to another result, sample by sample.

        Its interval tells whether two explainers differ on the same samples, which two
        intervals that overlap leave open.

        Args:
            other: `MetricResult` of the same samples in the same order.

        Returns:
            A `MetricResult`, without a curve, of the samples that both count.

        Raises:
            ValueError: If the other is of another number of samples.

        Example:
        >>> from keras_lap.evaluation import MetricResult
        >>> one, other = MetricResult([0.9, 0.1, 0.5]), MetricResult([0.8, 0.0, 0.4])
        >>> low, high = one.minus(other).interval()
        >>> round(low, 6), round(high, 6)
        (0.1, 0.1)
        """
        if len(other.values) != len(self.values):
            raise ValueError(
                f"Expected a result of the same {len(self.values)} samples. "
                f"Received: one of {len(other.values)}"
            )
        return MetricResult(self.values - other.values)

    def by_class(self, labels):
        """Results of the samples of each class.

        Args:
            labels: int array of shape `(N,)`, the class of each sample.

        Returns:
            Dict from each class among the labels, in ascending order, to the
            `MetricResult` of its samples. A class whose samples were all left out is
            there with a mean of NaN.

        Raises:
            ValueError: If the labels are not integers of shape `(N,)`.

        Example:
        >>> from keras_lap.evaluation import MetricResult
        >>> MetricResult([1.0, 0.0, 1.0]).by_class([3, 7, 7])
        {3: MetricResult(mean=1, counted=1, left_out=0),
         7: MetricResult(mean=0.5, counted=2, left_out=0)}
        """
        labels = np.asarray(labels)
        if not len(self.values) and labels.shape == (0,):
            return {}
        if labels.shape != self.values.shape or labels.dtype.kind not in "iu":
            raise ValueError(
                "Expected one integer label per sample, of shape "
                f"({len(self.values)},). Received: labels of dtype {labels.dtype} and "
                f"shape {labels.shape}. Turn one-hot labels or probabilities into "
                "classes with `argmax(axis=-1)`."
            )
        return {int(label): self._of(labels == label) for label in np.unique(labels)}

    def _of(self, chosen):
        curve = self.curve
        if curve is not None:
            curve = dataclasses.replace(curve, y=curve.y[chosen])
        return dataclasses.replace(self, values=self.values[chosen], curve=curve)

    def __repr__(self):
        return (
            f"MetricResult(mean={self.mean:.4g}, counted={self.counted}, "
            f"left_out={self.left_out})"
        )
