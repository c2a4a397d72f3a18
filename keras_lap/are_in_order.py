"""Whether arguments are numbers in order."""

import itertools
import numbers
import operator


def are_in_order(*values, strict=False):
    """Whether all values are numbers, none less than the one before it; NaN is none.

    Args:
        *values: Anything; arrays without axes are numbers too.
        strict: Whether equal numbers are out of order.
    """
    before = operator.lt if strict else operator.le
    return all(map(_is_number, values)) and all(
        itertools.starmap(before, itertools.pairwise(values))
    )


def _is_number(value):
    if isinstance(value, numbers.Real):
        return True
    try:
        # Not of texts.
        return getattr(value, "ndim", None) == 0 and bool(float(value) == value)
    except (TypeError, ValueError):
        return False
