"""How much one term counts, which may grow during training."""

import keras


class TermWeight:
    """A factor that grows in a line from 0 to its value over the first epochs.

    The current factor is a variable, so that nothing is traced anew as it grows.
    A factor that does not grow is a plain number.

    Args:
        value: The full factor.
        warmup: Number of epochs, possibly fractional, over which it grows.

    Attributes:
        value: The full factor.
        current: The factor as it is now: a float, or a `keras.Variable`.
    """

    def __init__(self, value, warmup=0.0):
        self.value = value
        self.warmup = warmup
        self.current = value
        if warmup:
            self.current = keras.Variable(0.0, trainable=False, autocast=False)

    def grow_to(self, epoch):
        """Sets the factor to that of an epoch, counted from zero."""
        if self.warmup:
            self.current.assign(self.value * min(epoch / self.warmup, 1.0))
