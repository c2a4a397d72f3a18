"""Which watches some losses need."""

from keras_lap.graph.guess_warning import GuessedPlaceWarning, guess_warning
from keras_lap.injection.knowledge import KINDS
from keras_lap.injection.losses.cross_layer_loss import CrossLayerLoss
from keras_lap.injection.losses.knowledge_loss import KnowledgeLoss
from keras_lap.injection.watches.box_concept_watch import BoxConceptWatch
from keras_lap.injection.watches.grey_picture_watch import GreyPictureWatch
from keras_lap.injection.watches.label_watch import LabelWatch
from keras_lap.injection.watches.nameless_watch import NamelessWatch
from keras_lap.injection.watches.place_watch import PlaceWatch, places_of_images
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
    on_layers = [each.takes for each in losses if isinstance(each, _ON_LAYERS)]
    if any("mask" in names for names in on_layers):
        watches += [NamelessWatch("mask"), GreyPictureWatch()]
    if any({"boxes", "present"} <= set(names) for names in on_layers):
        watches.append(NamelessWatch("boxes"))
    if "box_concepts" in taken:
        watches.append(BoxConceptWatch())
    # Boxes that a label does not name are watched for themselves.
    if any("present" in names and "boxes" not in names for names in on_layers):
        watches.append(LabelWatch())
    if placed := [loss.name for loss in losses if loss.compares_places]:
        watches += [
            PlaceWatch(placed, places_of_images),
            PlaceWatch(placed, _guesses, GuessedPlaceWarning),
        ]
    return watches


def _guesses(forward):
    return guess_warning(forward.guesses)
