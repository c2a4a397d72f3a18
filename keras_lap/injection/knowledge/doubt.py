"""Values that hardly mean what they would be read as."""

from collections.abc import Callable
from dataclasses import dataclass


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
