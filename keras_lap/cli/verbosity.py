"""Whether commands show how far they are."""

import sys


def verbosity():
    """The argument `verbose` of what has a progress bar.

    Returns:
        `"auto"` where a person watches, `False` where the output goes to a file, in
        which every state of the bar would stay.
    """
    return "auto" if sys.stdout.isatty() else False
