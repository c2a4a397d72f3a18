"""Whether arguments are numbers in order."""

import itertools
import numbers
import operator


def are_in_order(*values, strict=False):
    """Whether all values are numbers, none less than the one before it; NaN is none.

    Args:
        *values: Anything.
        strict: Whether equal numbers are out of order.
    """
    before = operator.lt if strict else operator.le
    return all(isinstance(value, numbers.Real) for value in values) and all(
        itertools.starmap(before, itertools.pairwise(values))
    )
