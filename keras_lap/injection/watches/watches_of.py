"""Which watches some losses need."""

import functools

from keras_lap.graph.guess_warning import GuessedPlaceWarning, guess_warning
from keras_lap.injection.knowledge import KINDS
from keras_lap.injection.losses.box_supervision import BoxSupervision
from keras_lap.injection.losses.cross_layer_loss import CrossLayerLoss
from keras_lap.injection.losses.knowledge_loss import KnowledgeLoss
from keras_lap.injection.watches.empty_masks import empty_masks
from keras_lap.injection.watches.grey_pictures import grey_pictures
from keras_lap.injection.watches.labels_above_one import labels_above_one
from keras_lap.injection.watches.measurements import measurements
from keras_lap.injection.watches.nameless import nameless
from keras_lap.injection.watches.never_boxed import never_boxed
from keras_lap.injection.watches.unknown_box_concepts import unknown_box_concepts
from keras_lap.injection.watches.unknown_places import places_of_images, unknown_places
from keras_lap.injection.watches.watch import Watch

_ON_LAYERS = KnowledgeLoss | CrossLayerLoss


def watches_of(losses, concepts):
    """The watches over what losses take.

    Args:
        losses: List of losses.
        concepts: The most concepts that a supervised layer has.

    Returns:
        List of `Watch`es.
    """
    taken = {name for loss in losses for name in loss.takes}
    looks = [
        functools.partial(_doubtful, kind.name, doubt)
        for kind in KINDS.values()
        if kind.name in taken
        for doubt in kind.doubts
    ]
    on_layers = [each.takes for each in losses if isinstance(each, _ON_LAYERS)]
    watches = []
    if any("mask" in names for names in on_layers):
        looks += [functools.partial(nameless, "mask"), grey_pictures]
        look = functools.partial(empty_masks, concepts)
        watches.append(Watch(look, shape=(2, concepts)))
    if any({"boxes", "present"} <= set(names) for names in on_layers):
        looks.append(functools.partial(nameless, "boxes"))
    if "box_concepts" in taken:
        looks.append(unknown_box_concepts)
    # Boxes that a label does not name are watched for themselves.
    if any("present" in names and "boxes" not in names for names in on_layers):
        looks.append(measurements)
    watches += [Watch(look) for look in [*looks, labels_above_one]]
    watches += [
        Watch(functools.partial(never_boxed, loss, concepts), shape=(3, concepts))
        for loss in losses
        if isinstance(loss, BoxSupervision) and concepts > 1
    ]
    if placed := [loss.name for loss in losses if loss.compares_places]:
        sizes, guesses = (
            functools.partial(unknown_places, placed, reason)
            for reason in (places_of_images, _guesses)
        )
        watches += [Watch(sizes), Watch(guesses, GuessedPlaceWarning)]
    return watches


def _doubtful(name, doubt, forward):
    """Values of a kind of knowledge of which there is a doubt."""
    if name not in forward.knowledge.given:
        return None
    return doubt.flags(forward.knowledge.clean(name)), doubt.message


def _guesses(forward):
    return guess_warning(forward.guesses)
