"""Means over runs, and how far they can be trusted."""

import statistics
from dataclasses import dataclass

from scipy.special import stdtrit

CONFIDENCE = 0.95
# Two families say too little of how far families differ.
LEAST_FAMILIES = 3


@dataclass(frozen=True)
class Estimate:
    """A mean and the half width of its 95 % interval.

    Attributes:
        mean: Mean over seeds, or over the means of families.
        half_width: Half the width of the interval, `None` for a single run and for two
            families, which have none.
        count: Number of seeds, or of families where there are several.
    """

    mean: float
    half_width: float | None
    count: int

    @property
    def low(self):
        """Lower end of the interval, `None` without one."""
        return None if self.half_width is None else self.mean - self.half_width

    @property
    def high(self):
        """Upper end of the interval, `None` without one."""
        return None if self.half_width is None else self.mean + self.half_width

    @property
    def sign(self):
        """1 or -1 if the interval lies above or below 0, else 0."""
        if self.half_width is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)

    def overlaps(self, other):
        """Whether two intervals share a point; without intervals they might."""
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
            return f"{mean} (n = {self.count})"
        return f"{mean} ± {self.half_width:.{digits}f}"


def estimate(values):
    """Mean over runs, with Student's interval.

    Seeds of one family are more alike than families are, so that they do not count as
    independent runs beside those of another: with several families, each is averaged
    first, and the mean and its interval are those of the families' means.

    The half width is the quantile of Student's t with `n - 1` degrees of freedom times
    the standard error of the mean, for `n` seeds of one family, or `n` families.

    Args:
        values: Dict from runs to numbers. A run is a tuple that ends in the seed, with
            the family before it where there may be several.

    Returns:
        An `Estimate`, or `None` if there are no runs.

    Example:

    >>> estimate({(0,): 0.90, (1,): 0.92, (2,): 0.94}).text()
    '0.920 ± 0.050'
    >>> estimate({("A", 0): 0.8, ("A", 1): 0.9, ("B", 0): 0.95}).text()
    '0.900 (n = 2)'
    """
    families = {}
    for (*family, _), number in values.items():
        families.setdefault(tuple(family), []).append(number)
    if not families:
        return None
    numbers, least = next(iter(families.values())), 2
    if len(families) > 1:
        numbers, least = map(statistics.fmean, families.values()), LEAST_FAMILIES
    numbers = list(numbers)
    count, half_width = len(numbers), None
    if count >= least:
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
