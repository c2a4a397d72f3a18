"""What all watches over the steps of a training have in common."""

import keras
from keras import ops

from keras_lap.utils.warn import warn


class BaseWatch:
    """Counts, step by step, something that is to be warned of.

    The count is a variable of the steps, which run without Python once they are
    compiled, and need not wait for anybody to look at their data.

    Attributes:
        category: Class of the warning.
    """

    category = UserWarning

    def __init__(self):
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
        found = self.found(forward)
        if found is not None:
            self._count.update_state(ops.sum(ops.cast(found, "float32")))

    def found(self, forward):
        """Flags of what there is in a `ForwardPass`, or `None` if there can be none."""
        raise NotImplementedError

    def message(self, count):
        """What to say of a count that is not zero."""
        raise NotImplementedError

    def warn(self):
        """Warns of what was found, if it did not before. It waits for the last step."""
        count = 0 if self._has_warned else int(self._count.result())
        if count:
            self._has_warned = True
            warn(self.message(count), self.category)
