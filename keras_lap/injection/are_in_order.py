"""Whether arguments are numbers in order."""

import itertools
import numbers


def are_in_order(*values):
    """Whether all values are numbers, none less than the one before it; NaN is none."""
    return all(isinstance(value, numbers.Real) for value in values) and all(
        first <= second for first, second in itertools.pairwise(values)
    )
