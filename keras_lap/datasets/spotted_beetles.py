"""Beetles of eight species that only a mark on the back tells apart."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds

from keras_lap.datasets.drawn.beetle import FORMS, TRAITS, draw_beetle
from keras_lap.datasets.drawn.bounding_box import bounding_box
from keras_lap.datasets.drawn.canvas import SIDE
from keras_lap.datasets.drawn.rendered_builder import RenderedBuilder
from keras_lap.datasets.drawn.splits import example_rng
from keras_lap.datasets.sized_config import SizedConfig

SPECIES = (
    "one_spot",
    "two_spots",
    "one_ring",
    "two_rings",
    "one_bar",
    "two_bars",
    "one_cross",
    "two_crosses",
)
MARK_ATTRIBUTES = (*(f"{form}_mark" for form in FORMS), "paired_mark")
ATTRIBUTES = (*MARK_ATTRIBUTES, *TRAITS)

_SEED = 65

_DESCRIPTION = """
Colour images of 64 by 64 pixels, each with one drawn beetle, seen from above, on a \
textured background among pebbles and twigs. Place, size, direction and colours are \
random.

A pale saddle lies across the beetle's wing cases, and the dark marks on it tell the \
species: one or two of a spot, a ring, a bar or a cross. Everything else varies \
without regard to the species, so the saddle, which `mask` shows, is all the evidence \
there is. Two species of one form differ in the number of marks alone.

`attributes` says what the beetle looks like. The first five describe the marks and \
determine the species: `spot_mark`, `ring_mark`, `bar_mark`, `cross_mark` and \
`paired_mark`. The others have nothing to do with it, and each is there in half of \
the images: `light_wings`, `pale_legs`, `long_antennae`, `clubbed_antennae`, \
`striped_shield`, which is behind the head, and `pointed_tail`.

The images are rendered locally with fixed seeds, and nothing is downloaded. Examples \
are stored in order of their index, with labels in random order.
"""


def render_example(split, index):
    """Renders one example of `SpottedBeetles`, the one that the builder stores.

    Args:
        split: `"train"`, `"validation"` or `"test"`.
        index: Index of the example in its split, at least 0.

    Returns:
        A dictionary with `image`, a uint8 array of shape (64, 64, 3); `label`, an int,
        the index of the species in `SPECIES`; `mask`, a uint8 array of shape
        (64, 64, 1), 1 on the saddle with the marks; `bbox`, the `tfds.features.BBox`
        that bounds the mask; `object_mask`, a uint8 array of shape (64, 64, 1), 1 on
        the beetle; and `attributes`, a uint8 array of shape (11,) of zeros and ones,
        in the order of `ATTRIBUTES`.

    Raises:
        ValueError: If there is no such split, or the index is no integer of at least 0.
    """
    rng = example_rng(_SEED, split, index)
    label = int(rng.integers(len(SPECIES)))
    beetle = draw_beetle(rng, label)
    form = np.arange(len(FORMS)) == label // 2
    return {
        "image": beetle.image,
        "label": label,
        "mask": beetle.mask,
        "bbox": bounding_box(beetle.mask[..., 0]),
        "object_mask": beetle.object_mask,
        "attributes": np.array([*form, label % 2, *beetle.traits], np.uint8),
    }


class SpottedBeetles(RenderedBuilder):
    """TensorFlow Datasets builder of `spotted_beetles`, rendered without a network.

    The names of what `label` and `attributes` count are `SPECIES` and `ATTRIBUTES` of
    `keras_lap.datasets.spotted_beetles`; `MARK_ATTRIBUTES` are those that determine
    the species. Other numbers of images are a `SizedConfig`.

    Example:

    >>> from keras_lap.datasets.spotted_beetles import SPECIES, render_example
    >>> example = render_example("train", 0)
    >>> example["image"].shape, SPECIES[example["label"]]
    ((64, 64, 3), 'two_spots')
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS: ClassVar = [
        SizedConfig(name="marks", description="Eight species, told by their marks.")
    ]

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(SIDE, SIDE, 3)),
            "label": tfds.features.ClassLabel(names=list(SPECIES)),
            "mask": tfds.features.LabeledImage(
                labels=["elsewhere", "saddle"], shape=(SIDE, SIDE, 1)
            ),
            "bbox": tfds.features.BBoxFeature(),
            "object_mask": tfds.features.LabeledImage(
                labels=["background", "beetle"], shape=(SIDE, SIDE, 1)
            ),
            "attributes": tfds.features.Tensor(
                shape=(len(ATTRIBUTES),), dtype=np.uint8
            ),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
        )

    def _render(self, split, index):
        return render_example(split, index)
