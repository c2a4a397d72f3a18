"""Where LAP stands among explainers, by one metric on one data set."""

from dataclasses import dataclass

from study_grid.page.estimate import Estimate, differences, estimate
from study_grid.page.verdict import MISSED, OPEN, judge

LAP = "LAP"
# Maps that any explainer should beat, and none to be beaten by.
BASELINES = ("Random", "CenterGaussian", "Edge")


@dataclass(frozen=True)
class Metric:
    """A metric of the cells that explain.

    Attributes:
        name: Its name in rows.
        is_higher_better: Whether a higher value is better.
        is_judged: Whether it belongs to the aim.
    """

    name: str
    is_higher_better: bool
    is_judged: bool = True

    @property
    def title(self):
        """Name and direction."""
        direction = "higher" if self.is_higher_better else "lower"
        return f"`{self.name}` ({direction} is better)"

    @property
    def sign(self):
        """1 or -1, so that a product with it is better if it is higher."""
        return 1 if self.is_higher_better else -1

    def best(self, values):
        """The explainer with the best mean.

        Args:
            values: Dict from explainers to dicts from runs to numbers.
        """
        return max(values, key=lambda name: self.sign * estimate(values[name]).mean)


@dataclass(frozen=True)
class Standing:
    """LAP beside the best of its rivals.

    Attributes:
        lap: `Estimate` of LAP.
        rival: Name of the best of the others.
        rival_value: `Estimate` of it.
        lead: `Estimate` of the difference between runs, positive where LAP is better.
        baselines: Names of baselines that are better than LAP.
    """

    lap: Estimate
    rival: str
    rival_value: Estimate
    lead: Estimate
    baselines: list

    @property
    def verdict(self):
        """Whether LAP is first: `"met"`, `"missed"`, or `"open"` if by chance."""
        return judge(self.lead, 0.0)

    @property
    def is_first(self):
        """Whether the mean of LAP is better, be it by chance."""
        return self.lead.mean > 0

    @property
    def is_tied(self):
        """Whether the mean of another is the same, as where both are 1."""
        return self.lead.mean == 0

    @property
    def text(self):
        """The verdict in words."""
        behind = f"; behind {', '.join(self.baselines)}" if self.baselines else ""
        return f"{self._place}{behind}"

    @property
    def _place(self):
        if self.verdict == MISSED:
            return f"**{self.rival}**"
        if self.is_tied:
            return f"tied with {self.rival}"
        if self.verdict == OPEN:
            has_interval = self.lead.half_width is not None
            first = "first" if self.is_first else self.rival
            return f"{first}, {'within noise' if has_interval else 'no interval'}"
        return "first, overlap" if self.lap.overlaps(self.rival_value) else "first"


def standing(metric, maps, rivals):
    """Compares LAP with others that explain the same images.

    Args:
        metric: A `Metric`.
        maps: Dict from runs to numbers, of LAP.
        rivals: Dict from explainers to dicts from runs to numbers. LAP is left out of
            it, and `BASELINES` are no rivals.

    Returns:
        A `Standing`, or `None` if there is nothing to compare.
    """
    shared = {
        name: values
        for name, values in rivals.items()
        if name != LAP and differences(maps, values)
    }
    counted = {name: each for name, each in shared.items() if name not in BASELINES}
    if not counted:
        return None

    def lead(name):
        return estimate(
            {
                run: metric.sign * difference
                for run, difference in differences(maps, shared[name]).items()
            }
        )

    rival = min(counted, key=lambda name: lead(name).mean)
    baselines = [name for name in BASELINES if name in shared and lead(name).mean < 0]
    return Standing(
        estimate(maps), rival, estimate(counted[rival]), lead(rival), baselines
    )
