"""Numbers on the command line."""

import argparse


def positive(text):
    """A positive integer, for `argparse`."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(
            f"Expected a positive integer. Received: {text!r}"
        )
    return number
