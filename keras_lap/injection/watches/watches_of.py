"""Which watches some losses need."""

from keras_lap.injection.knowledge import KINDS
from keras_lap.injection.losses import CrossLayerLoss, KnowledgeLoss, PerturbationLoss
from keras_lap.injection.watches.guess_watch import GuessWatch
from keras_lap.injection.watches.label_watch import LabelWatch
from keras_lap.injection.watches.nameless_watch import NamelessWatch
from keras_lap.injection.watches.number_watch import NumberWatch
from keras_lap.injection.watches.size_watch import SizeWatch
from keras_lap.injection.watches.value_watch import ValueWatch

_ON_LAYERS = KnowledgeLoss | CrossLayerLoss


def watches_of(losses):
    """The watches over what losses take.

    Args:
        losses: List of losses.

    Returns:
        List of `BaseWatch`es.
    """
    taken = {name for loss in losses for name in loss.takes}
    watches = [
        ValueWatch(kind.name, doubt)
        for kind in KINDS.values()
        if kind.name in taken
        for doubt in kind.doubts
    ]
    on_layers = [each for each in losses if isinstance(each, _ON_LAYERS)]
    of_layers = {name for loss in on_layers for name in loss.takes}
    watches += [NamelessWatch(name) for name in ("mask", "boxes") if name in of_layers]
    if "box_concepts" in taken:
        watches.append(NumberWatch())
    # Boxes that a label does not name are watched for themselves.
    if any("present" in loss.takes and "boxes" not in loss.takes for loss in on_layers):
        watches.append(LabelWatch())
    if placed := [loss.name for loss in losses if _compares_places(loss)]:
        watches += [SizeWatch(placed), GuessWatch(placed)]
    return watches


def _compares_places(loss):
    if isinstance(loss, KnowledgeLoss):
        return not {"mask", "boxes"}.isdisjoint(loss.takes)
    return isinstance(loss, CrossLayerLoss | PerturbationLoss)
