"""Watches for knowledge that hardly means what it would be read as."""

import keras

from keras_lap.injection.knowledge import DOUBTED, KINDS
from keras_lap.warn import warn


class ValueWatch:
    """Counts, step by step, what is far off the values of its kind.

    Such are boxes and areas in pixels instead of shares, and masks below 0. The counts
    are variables of the steps, so that these need not wait for anybody to look at their
    data.

    Args:
        losses: Losses, of which those kinds of knowledge are watched that they take.
    """

    def __init__(self, losses):
        taken = {name for loss in losses for name in loss.takes}
        self._counts = {
            name: keras.metrics.Sum(name=name) for name in DOUBTED if name in taken
        }
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

    def add(self, knowledge):
        """Takes note of the `Knowledge` of a step."""
        for name, count in self._counts.items():
            count.update_state(knowledge.count_doubtful(name))

    def warn(self):
        """Warns of what was found, if it did not before. It waits for the last step."""
        if self._has_warned:
            return
        for name, count in self._counts.items():
            found = int(count.result())
            if found:
                self._has_warned = True
                warn(KINDS[name].if_doubtful.format(count=found))
