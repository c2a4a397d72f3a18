"""Watches for shares of the image that are given in another unit."""

import keras

from keras_lap.injection.knowledge import KINDS, SHARES
from keras_lap.warn import warn


class ShareWatch:
    """Counts, step by step, what is given as shares of the image and far above 1.

    The counts are variables of the steps, so that these need not wait for anybody to
    look at their data.

    Args:
        losses: Losses, of which those kinds of knowledge are watched that they take.
    """

    def __init__(self, losses):
        taken = {name for loss in losses for name in loss.takes}
        self._counts = {
            name: keras.metrics.Sum(name=name) for name in SHARES if name in taken
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
            count.update_state(knowledge.count_no_shares(name))

    def warn(self):
        """Warns of what was found, if it did not before. It waits for the last step."""
        if self._has_warned:
            return
        for name, count in self._counts.items():
            found = int(count.result())
            if found:
                self._has_warned = True
                warn(
                    f"Expected targets {name!r} as shares of the image, from 0 to 1. "
                    f"Received {found} values far above 1. {KINDS[name].if_no_shares}",
                )
