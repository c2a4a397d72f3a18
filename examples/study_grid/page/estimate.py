"""Means over runs, and how far they can be trusted."""

import statistics
from dataclasses import dataclass

from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean and the half width of its 95 % interval.

    Attributes:
        mean: Mean over the runs.
        half_width: Half the width of the interval, `None` for a single run, which has
            none.
        count: Number of runs.
    """

    mean: float
    half_width: float | None
    count: int

    @property
    def low(self):
        """Lower end of the interval, `None` for a single run."""
        return None if self.half_width is None else self.mean - self.half_width

    @property
    def high(self):
        """Upper end of the interval, `None` for a single run."""
        return None if self.half_width is None else self.mean + self.half_width

    @property
    def sign(self):
        """1 or -1 if the interval lies above or below 0, else 0."""
        if self.half_width is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)

    def overlaps(self, other):
        """Whether two intervals share a point; those of single runs always might."""
        if self.half_width is None or other.half_width is None:
            return True
        return self.low <= other.high and other.low <= self.high

    def text(self, digits=3, signed=False):
        """Mean and half width as text, such as `0.912 ± 0.013`.

        Args:
            digits: Number of digits behind the point.
            signed: Whether a plus is written.
        """
        mean = f"{self.mean:{'+' if signed else ''}.{digits}f}"
        if self.half_width is None:
            return f"{mean} (n = 1)"
        return f"{mean} ± {self.half_width:.{digits}f}"


def estimate(values):
    """Mean over runs, with Student's interval.

    The half width is the quantile of Student's t with `n - 1` degrees of freedom times
    the standard error of the mean.

    Args:
        values: Dict from runs to numbers.

    Returns:
        An `Estimate`, or `None` if there are no runs.

    Example:

    >>> estimate({0: 0.90, 1: 0.92, 2: 0.94}).text()
    '0.920 ± 0.050'
    """
    numbers = list(values.values())
    if not numbers:
        return None
    count, half_width = len(numbers), None
    if count > 1:
        error = statistics.stdev(numbers) / count**0.5
        half_width = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * error
    return Estimate(statistics.fmean(numbers), half_width, count)


def differences(first, second):
    """First minus second, for the runs that both have.

    Args:
        first: Dict from runs to numbers.
        second: Dict from runs to numbers.

    Returns:
        Dict from runs to numbers.
    """
    return {run: first[run] - second[run] for run in first if run in second}
