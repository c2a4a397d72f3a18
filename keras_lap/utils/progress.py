"""A progress bar for what takes long."""

import time

import keras

from keras_lap.utils.names import check_choice

_SECONDS = 3


class Progress:
    """Shows Keras' progress bar, by itself only where it takes some seconds.

    Args:
        batches: Number of batches, `None` if it is not known.
        verbose: `True` or `1` for a bar from the first batch on, `False` or `0` for
            none, `"auto"` for one once it has taken a few seconds and goes on.
        unit: What is counted.

    Raises:
        ValueError: If `verbose` is something else.
    """

    def __init__(self, batches, verbose, unit="batch"):
        check_choice("verbose", verbose, ("auto", True, False, 1, 0))
        self._batches = batches
        self._unit = unit
        self._done = 0
        self._verbose = verbose
        self._start = time.monotonic()
        self._bar = None

    def update(self):
        """Counts one more batch that is done."""
        self._done += 1
        if self._bar is None and self._is_due():
            self._bar = keras.utils.Progbar(self._batches, unit_name=self._unit)
        if self._bar is not None:
            self._bar.update(self._done)

    def close(self):
        """Ends the line of a bar that did not know its end."""
        if self._bar is not None and self._batches is None:
            self._bar.update(self._done, finalize=True)

    def _is_due(self):
        if self._verbose != "auto":
            return bool(self._verbose)
        is_slow = time.monotonic() - self._start > _SECONDS
        return is_slow and self._done != self._batches
