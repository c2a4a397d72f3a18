"""A few of many files, to look into."""

import math

_MOST = 8


def some_of(files, most=_MOST):
    """At most so many of a list, evenly spaced."""
    return files[:: math.ceil(len(files) / most) or 1]
