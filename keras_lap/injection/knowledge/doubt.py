"""Values that hardly mean what they would be read as."""

from collections.abc import Callable
from dataclasses import dataclass

from keras_lap.utils.odd_boxes import are_no_shares


@dataclass(frozen=True)
class Doubt:
    """What is odd about some values of a kind of knowledge.

    Attributes:
        flags: Function of float32 values that flags the odd ones, a tensor of any
            shape.
        message: Function of the number of flags that says what is odd, and what to do.
    """

    flags: Callable
    message: Callable


def no_shares(name, advice):
    """The `Doubt` of values that are too far above 1 to be shares of the image.

    Args:
        name: Name of the kind of knowledge.
        advice: What to do about them.
    """
    return Doubt(
        flags=are_no_shares,
        message=lambda count: (
            f"Expected targets {name!r} as shares of the image, from 0 to 1. Received "
            f"{count} values far above 1. {advice}"
        ),
    )
