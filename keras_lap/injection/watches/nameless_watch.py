"""Watches for masks and boxes of no concept."""

from keras import ops

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
        # What the last layer has, such as all classes, others have at most.
        flags = forward.layers[-1].knowledge.nameless(self._name)
        return None if flags is None else ops.sum(ops.cast(flags, "float32"))

    def message(self, count):
        return (
            f"Targets {self._name!r} are the label's, and in {count} images they show "
            "something while the label names nothing, so that they count as empty. Is "
            "what they show the other class? Folders of classes are taken in "
            "alphabetical order; of two classes with one output, the second is what 1 "
            "names. If labels are measurements or of something else, name the concepts "
            "of masks and boxes, as masks (N, H, W, K) for layers of K concepts and "
            "boxes with 'box_concepts' do."
        )
