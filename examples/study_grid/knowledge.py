"""What a network is told beside labels, and by which loss."""

import numpy as np

from keras_lap import losses
from keras_lap.callbacks import KnowledgeInjection


class Kind:
    """A kind of knowledge that goes to LAP layers.

    Args:
        make: Function of no arguments to a list of losses.
        names: Names of the arrays that the targets hold beside the labels, where the
            data set has them.
    """

    def __init__(self, make, names=()):
        self._make = make
        self._names = names

    def targets(self, split, is_told):
        """Labels and what is known of the images that `is_told` flags."""
        if not self._names:
            return split["label"]
        known = {name: split[name] for name in self._names if name in split}
        flags = dict.fromkeys(known, is_told)
        return {"label": split["label"], **known, "valid": flags}

    def callback(self, weights, share, several):
        """The `KnowledgeInjection` of a network.

        Args:
            weights: Weight of each loss, or one for all, if all images have the
                knowledge. A term is averaged over all images, so where fewer have it,
                its weight grows in proportion.
            share: Share of the images of a batch that have the knowledge.
            several: Whether images may have several labels.
        """
        made = self._make("sigmoid" if several else "softmax")
        # Labels are there for all images.
        share = share if self._names else 1
        return KnowledgeInjection(made, weights=(np.array(weights) / share).tolist())


def told_images(count, share, seed):
    """Flags of the images of which something is known, `(count,)`."""
    flags = np.zeros(count, bool)
    order = np.random.default_rng([seed, 1]).permutation(count)
    flags[order[: max(1, round(share * count))]] = True
    return flags


def _area(outputs):
    return [losses.AreaPrior(min_area=0.02, max_area=0.15)]


KINDS = {
    "labels": Kind(lambda outputs: [losses.Presence()]),
    "masks": Kind(lambda outputs: [losses.MaskSupervision()], ("mask",)),
    "masks outside": Kind(
        lambda outputs: [losses.MaskSupervision("outside")], ("mask",)
    ),
    "boxes": Kind(lambda outputs: [losses.BoxSupervision()], ("boxes", "box_concepts")),
    "attributes": Kind(lambda outputs: [losses.ConceptLabels()], ("concepts",)),
    "attributes + absence": Kind(
        lambda outputs: [losses.ConceptLabels(), losses.Absence("concepts")],
        ("concepts",),
    ),
    "areas": Kind(_area),
    "consistency + labels": Kind(
        lambda outputs: [losses.Consistency(), losses.Presence()]
    ),
    "necessity + areas": Kind(
        lambda outputs: [losses.Necessity(outputs), *_area(outputs)]
    ),
    "sufficiency + areas": Kind(
        lambda outputs: [losses.Sufficiency(outputs), *_area(outputs)]
    ),
}
