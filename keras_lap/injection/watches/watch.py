"""A watch over the steps of a training."""

import keras
from keras import ops

from keras_lap.utils.warn import warn


class Watch:
    """Counts, step by step, something that is to be warned of.

    The count is a variable of the steps, which run without Python once they are
    compiled, and need not wait for anybody to look at their data.

    Args:
        look: Function of a `ForwardPass` that returns flags of what there is, and a
            function of their number that says so; or `None` if there can be none.
        category: Class of the warning.
    """

    def __init__(self, look, category=UserWarning):
        self._look = look
        self._category = category
        self._message = None
        self._count = keras.metrics.Sum()
        self._has_warned = False

    @property
    def variables(self):
        """All that changes from step to step: list of `keras.Variable`."""
        return self._count.variables

    def reset(self):
        """Begins anew."""
        self._count.reset_state()
        self._has_warned = False

    def add(self, forward):
        """Takes note of a step, a `ForwardPass`."""
        found = self._look(forward)
        if found is not None:
            flags, self._message = found
            self._count.update_state(ops.sum(ops.cast(flags, "float32")))

    def warn(self):
        """Warns of what was found, if it did not before. It waits for the last step."""
        count = 0 if self._has_warned else int(self._count.result())
        if count:
            self._has_warned = True
            warn(self._message(count), self._category)
