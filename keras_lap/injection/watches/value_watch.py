"""Watches for knowledge that hardly means what it would be read as."""

from keras_lap.injection.watches.base_watch import BaseWatch


class ValueWatch(BaseWatch):
    """Counts what is far off the values of its kind.

    Args:
        name: Name of the kind of knowledge.
        doubt: One of the `doubts` of that `Kind`.
    """

    def __init__(self, name, doubt):
        super().__init__()
        self._name = name
        self._doubt = doubt

    def found(self, forward):
        knowledge = forward.knowledge
        if self._name not in knowledge.given:
            return None
        return self._doubt.flags(knowledge.clean(self._name))

    def message(self, count):
        return self._doubt.message(count)
