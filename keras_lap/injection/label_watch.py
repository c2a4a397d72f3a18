"""Watches for labels that are read as classes and may be measurements."""

from keras import ops

from keras_lap.injection.base_watch import BaseWatch
from keras_lap.injection.losses import CrossLayerLoss, KnowledgeLoss

_OTHERS = "others"


class LabelWatch(BaseWatch):
    """Counts labels of a single output that say neither yes nor no.

    Those are all but 0, 1 and -1, and NaN. They are counted where losses read from the
    label which concepts are present, unless the model is compiled with a loss that says
    that its outputs are classes.

    Args:
        losses: List of losses.
    """

    def __init__(self, losses):
        super().__init__([_OTHERS])
        on_layers = [
            loss for loss in losses if isinstance(loss, KnowledgeLoss | CrossLayerLoss)
        ]
        self._needs = {name for loss in on_layers for name in loss.needs}

    def add(self, knowledge, inputs, predictions, data_format, guesses):
        is_single = tuple(getattr(predictions, "shape", ()))[-1:] == (1,)
        if not is_single or knowledge.outputs or not self._reads_label(knowledge):
            return
        label = ops.cast(knowledge.label, "float32")
        # The other one of two classes may be -1, as for a hinge loss.
        says = (label == 0) | (ops.abs(label) == 1) | ops.isnan(label)
        self._counts[_OTHERS].update_state(ops.sum(ops.cast(~says, "float32")))

    def message(self, name, count):
        return (
            "Expected labels of 0 and 1 for a model with a single output, whose "
            f"concepts a 1 makes present. Received {count} others, of which those "
            "below 0.5 say that nothing is there, so that their masks and boxes "
            "count as empty. If they are measurements, let knowledge name its "
            "concepts itself, as masks (N, H, W, K) for layers of K concepts, "
            "boxes with 'box_concepts', and 'concepts' do."
        )

    def _reads_label(self, knowledge):
        given = knowledge.given
        if knowledge.label is None:
            return False
        return (
            "present" in self._needs
            or ("boxes" in self._needs and "box_concepts" not in given)
            or ("mask" in self._needs and "mask" in given and given["mask"].ndim == 3)
        )
