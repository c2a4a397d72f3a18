"""Numbers that JSON can hold."""

import math


def finite(number, digits=7):
    """A number of so many digits; None for None and what JSON has no word for.

    The page rounds once more, to fewer digits.
    """
    if number is None or not math.isfinite(number):
        return None
    return float(f"{float(number):.{digits}g}")
