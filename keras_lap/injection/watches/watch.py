"""A watch over the steps of a training."""

import keras
import numpy as np
from keras import ops

from keras_lap.utils.warn import warn


class Watch:
    """Counts, step by step, something that is to be warned of.

    The count is a variable of the steps, which run without Python once they are
    compiled, and need not wait for anybody to look at their data.

    Args:
        look: Function of a `ForwardPass` that returns flags of what there is, and a
            function of their numbers that says so, or returns `None` if they are
            nothing to warn of; or `None` if there can be none.
        category: Class of the warning.
        shape: Shape of the numbers: the flags are of it behind any other axes.
    """

    def __init__(self, look, category=UserWarning, shape=()):
        self._look = look
        self._category = category
        self._shape = shape
        self._message = None
        self._count = _Count(shape)
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
            flags = ops.cast(flags, "float32")
            others = tuple(range(flags.ndim - len(self._shape)))
            self._count.update_state(ops.sum(flags, axis=others))

    def warn(self):
        """Warns of what was found, if it did not before. It waits for the last step."""
        if self._has_warned:
            return
        count = ops.convert_to_numpy(self._count.result()).astype(int)
        text = self._message(count) if np.any(count) else None
        if text is not None:
            self._has_warned = True
            warn(text, self._category)


class _Count(keras.metrics.Metric):
    """Sums of numbers, over steps and replicas."""

    def __init__(self, shape):
        super().__init__(name="count")
        self._total = self.add_variable(shape, keras.initializers.Zeros(), name="total")

    def update_state(self, numbers):
        self._total.assign_add(numbers)

    def result(self):
        return self._total
