"""What a network is told beside labels, and by which loss."""

import numpy as np

from keras_lap import losses
from keras_lap.callbacks import KnowledgeInjection


class Kind:
    """A kind of knowledge that goes to LAP layers.

    Args:
        make: Function of no arguments to a list of losses.
        weight: Weight of each loss, or one for all, if all images have the knowledge. A
            term is averaged over all images, so where fewer have it, it grows in
            proportion.
        names: Names of the arrays that the targets hold beside the labels, where the
            data set has them.
    """

    def __init__(self, make, weight, names=()):
        self._make = make
        self._weight = weight
        self._names = names

    def targets(self, split, is_told):
        """Labels and what is known of the images that `is_told` flags."""
        if not self._names:
            return split["label"]
        known = {name: split[name] for name in self._names if name in split}
        flags = dict.fromkeys(known, is_told)
        return {"label": split["label"], **known, "valid": flags}

    def callback(self, share, several):
        """The `KnowledgeInjection` of a network.

        Args:
            share: Share of the images of a batch that have the knowledge.
            several: Whether images may have several labels.
        """
        made = self._make("sigmoid" if several else "softmax")
        # Labels are there for all images.
        share = share if self._names else 1
        return KnowledgeInjection(
            made, weights=(np.array(self._weight) / share).tolist()
        )


def told_images(count, share, seed):
    """Flags of the images of which something is known, `(count,)`."""
    flags = np.zeros(count, bool)
    order = np.random.default_rng([seed, 1]).permutation(count)
    flags[order[: max(1, round(share * count))]] = True
    return flags


def _area(outputs):
    return [losses.AreaPrior(min_area=0.02, max_area=0.15)]


KINDS = {
    "labels": Kind(lambda outputs: [losses.Presence()], 0.1),
    "masks": Kind(lambda outputs: [losses.MaskSupervision()], 4.0, ("mask",)),
    "masks outside": Kind(
        lambda outputs: [losses.MaskSupervision("outside")], 4.0, ("mask",)
    ),
    "boxes": Kind(
        lambda outputs: [losses.BoxSupervision()], 4.0, ("boxes", "box_concepts")
    ),
    "attributes": Kind(lambda outputs: [losses.ConceptLabels()], 1.0, ("concepts",)),
    "attributes + absence": Kind(
        lambda outputs: [losses.ConceptLabels(), losses.Absence("concepts")],
        (1.0, 0.3),
        ("concepts",),
    ),
    "areas": Kind(_area, 10.0),
    "consistency + labels": Kind(
        lambda outputs: [losses.Consistency(), losses.Presence()], 0.1
    ),
    "necessity + areas": Kind(
        lambda outputs: [losses.Necessity(outputs), *_area(outputs)], 0.1
    ),
    "sufficiency + areas": Kind(
        lambda outputs: [losses.Sufficiency(outputs), *_area(outputs)], 0.1
    ),
}
