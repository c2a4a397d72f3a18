"""Watches for knowledge that hardly means what it would be read as."""

from keras_lap.injection.base_watch import BaseWatch
from keras_lap.injection.knowledge import DOUBTED, KINDS


class ValueWatch(BaseWatch):
    """Counts what is far off the values of its kind.

    Such are boxes and areas in pixels instead of shares, and masks below 0.

    Args:
        losses: Losses, of which those kinds of knowledge are watched that they take.
    """

    def __init__(self, losses):
        taken = {name for loss in losses for name in loss.takes}
        super().__init__(name for name in DOUBTED if name in taken)

    def add(self, knowledge, inputs, predictions, data_format, guesses):
        for name, count in self._counts.items():
            count.update_state(knowledge.count_doubtful(name))

    def message(self, name, count):
        return KINDS[name].if_doubtful.format(count=count)
