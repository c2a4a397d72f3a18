"""Watches for masks and boxes of no concept."""

from keras_lap.injection.watches.base_watch import BaseWatch


class NamelessWatch(BaseWatch):
    """Counts images with masks or boxes that belong to what a label does not name.

    Args:
        name: `"mask"` or `"boxes"`.
    """

    def __init__(self, name):
        super().__init__()
        self._name = name

    def found(self, forward):
        # The last layer tells most: it has all classes, if any has.
        told = (
            layer.knowledge.nameless(self._name) for layer in reversed(forward.layers)
        )
        return next((flags for flags in told if flags is not None), None)

    def message(self, count):
        return (
            f"Targets {self._name!r} are the label's, and in {count} images they show "
            "something while the label names nothing, so that they count as empty or, "
            "of images of no class, not at all. Where labels are not known, such as "
            "-1, leave them out by the flags 'valid'. Of two classes with one output, "
            "what they show may be the other one: a label of 1 names it, and folders "
            "of classes are numbered in alphabetical order. If labels are measurements "
            "or of something else, name the concepts of masks and boxes, as masks "
            "(N, H, W, K) for layers of K concepts and boxes with 'box_concepts' do."
        )
