"""Watches for boxes of concepts that no layer has."""

from keras_lap.injection.watches.base_watch import BaseWatch


class BoxConceptWatch(BaseWatch):
    """Counts the numbers in `"box_concepts"` that are too high for all layers."""

    def __init__(self):
        super().__init__()
        self._most = None

    def found(self, forward):
        most = max(layer.logits.shape[-1] for layer in forward.layers)
        if "box_concepts" not in forward.knowledge.given or most == 1:
            return None
        self._most = most
        return forward.knowledge.clean("box_concepts") >= most

    def message(self, count):
        return (
            f"Expected 'box_concepts' from 0 to {self._most - 1}, as no supervised "
            f"layer has more than {self._most} concepts, or -1. Received {count} "
            "above, whose boxes are left out. Count classes from 0, in the order of "
            "the model."
        )
