"""Whether an aim is met: the rule that all questions share."""

MET, OPEN, MISSED = "met", "open", "missed"
RULE = (
    "An aim is *met* where all of an interval is on its right side, *missed* where all "
    "of it is on the wrong side, and *open* otherwise, as with a single run, which has "
    "no interval. An aim of several parts is missed if one of them is, and met if all "
    "are."
)


def judge(estimate, limit):
    """Whether an estimate lies above a limit.

    Args:
        estimate: An `Estimate`, or `None` if nothing was measured.
        limit: The number that it should exceed.

    Returns:
        `"met"`, `"open"` or `"missed"`.
    """
    if estimate is None or estimate.half_width is None:
        return OPEN
    if estimate.high < limit:
        return MISSED
    return MET if estimate.low > limit else OPEN


def overall(verdicts):
    """The verdict on an aim of several parts; that of none is open."""
    verdicts = set(verdicts)
    if MISSED in verdicts:
        return MISSED
    return MET if verdicts == {MET} else OPEN
