"""Numbers as JSON has them."""

import math


def finite(number):
    """A number of seven digits; None for None and what JSON has no word for.

    The page rounds once more, to fewer digits.
    """
    if number is None or not math.isfinite(number):
        return None
    return float(f"{float(number):.7g}")
