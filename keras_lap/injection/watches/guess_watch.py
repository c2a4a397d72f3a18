"""Watches for steps of a model of which it is not known where they put pixels."""

from keras_lap.injection.watches.base_watch import BaseWatch
from keras_lap.layers.guess_check import guess_warning


class GuessWatch(BaseWatch):
    """Counts the runs in which places of maps are guesses.

    Args:
        names: List of the names of the losses that compare places.
    """

    def __init__(self, names):
        super().__init__()
        self._names = names
        self._warning = None

    def found(self, forward):
        warning = guess_warning(forward.guesses)
        if warning is None:
            return None
        self._warning = warning
        return 1.0

    def message(self, count):
        return f"The losses {self._names} compare places in the image. {self._warning}"
