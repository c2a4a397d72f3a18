"""What all watches over the steps of a training have in common."""

import keras

from keras_lap.warn import warn


class BaseWatch:
    """Counts, step by step, what is to be warned of.

    The counts are variables of the steps, which run without Python once they are
    compiled, and need not wait for anybody to look at their data.

    Args:
        names: Names of what is counted.
    """

    def __init__(self, names):
        self._counts = {name: keras.metrics.Sum(name=name) for name in names}
        self._has_warned = False

    @property
    def variables(self):
        """All that changes from step to step: list of `keras.Variable`."""
        return [variable for m in self._counts.values() for variable in m.variables]

    def reset(self):
        """Begins anew."""
        for count in self._counts.values():
            count.reset_state()
        self._has_warned = False

    def add(self, knowledge, inputs, predictions, data_format, guesses):
        """Takes note of a step.

        Args:
            knowledge: The `Knowledge` of its batch.
            inputs: What the model is called on, a tensor or any structure of tensors.
            predictions: What it predicts.
            data_format: The layout of the images.
            guesses: List of the `guesses` of the `CallPlace`s of the supervised maps.
        """
        raise NotImplementedError

    def message(self, name, count):
        """What to say of a count that is not zero."""
        raise NotImplementedError

    def warn(self):
        """Warns of what was found, if it did not before. It waits for the last step."""
        if self._has_warned:
            return
        for name, count in self._counts.items():
            if found := int(count.result()):
                self._has_warned = True
                warn(self.message(name, found))
