"""Handwritten digits in clutter, optionally with a patch that gives them away."""

import dataclasses
from typing import ClassVar

import tensorflow_datasets as tfds

from keras_lap.datasets.drawn.bounding_box import bounding_box, relative_box
from keras_lap.datasets.drawn.canvas import SIDE
from keras_lap.datasets.drawn.handwriting import CITATION, HOMEPAGE, digits_of
from keras_lap.datasets.drawn.patch import add_patch
from keras_lap.datasets.drawn.rendered_builder import RenderedBuilder
from keras_lap.datasets.drawn.scene import draw_scene
from keras_lap.datasets.drawn.splits import SPLITS, example_rng
from keras_lap.datasets.sized_config import SizedConfig
from keras_lap.utils.names import check_choice

_SEED = 64
_SHIFTED = "_shifted"

_DESCRIPTION = """
Colour images of 64 by 64 pixels, each with one readable handwritten digit on a \
textured background among scrambled strokes of other digits. Every image comes with \
the digit's class, its bounding box, and a mask of its strokes, so both the answer \
and the place from which it should be read are known.

The handwriting is that of `sklearn.datasets.load_digits`; training, validation and \
test images use different samples of it. The images are rendered locally with fixed \
seeds, and nothing is downloaded.

The config `decoy` adds a coloured patch in a random corner. In `train`, `validation` \
and `test` its colour tells the label; in `validation_shifted` and `test_shifted`, \
which hold the same images as `validation` and `test`, the colour is random. A model \
that reads the patch rather than the digit fails on the shifted splits.

Examples are stored in order of their index, so that a split and its shifted twin can \
be zipped. Labels come in random order; to reshuffle them for every epoch use \
`tf.data.Dataset.shuffle`, since `shuffle_files` is refused for ordered data sets.
"""


@dataclasses.dataclass(kw_only=True)
class ClutteredDigitsConfig(SizedConfig):
    """What a variant of `ClutteredDigits` contains.

    A smaller or larger variant is a config of another name, for example
    `ClutteredDigits(config=ClutteredDigitsConfig(name="tiny", train=20))`. Image i of
    a split is the same whatever the sizes are.

    Attributes:
        decoy: Whether images carry the coloured patch.
        train: Number of training images, at least 1.
        validation: Number of validation images, at least 1.
        test: Number of test images, at least 1.

    Raises:
        ValueError: If a number of images is not an integer of at least 1.
    """

    decoy: bool = False


def split_names(decoy):
    """Returns the names of the splits with the patch or without it."""
    shifted = ("validation" + _SHIFTED, "test" + _SHIFTED) if decoy else ()
    return (*SPLITS, *shifted)


def render_example(split, index, *, decoy=False):
    """Renders one example of `ClutteredDigits`, the one that the builder stores.

    Args:
        split: One of `split_names(decoy)`.
        index: Index of the example in its split, at least 0.
        decoy: Whether the image carries the coloured patch.

    Returns:
        A dictionary with `image`, a uint8 array of shape (64, 64, 3); `label`, an int
        in 0..9; `bbox`, the `tfds.features.BBox` that bounds the mask; `mask`, a uint8
        array of shape (64, 64, 1) with values 0 and 1; and, with `decoy`, `patch_bbox`,
        the `tfds.features.BBox` of the patch.

    Raises:
        ValueError: If there is no such split, or the index is no integer of at least 0.
    """
    check_choice("split", split, split_names(decoy))
    source = split.removesuffix(_SHIFTED)
    rng = example_rng(_SEED, source, index)
    digits = digits_of(source)
    scene = draw_scene(rng, digits)
    label = int(digits.labels[scene.sample])
    example = {
        "image": scene.image,
        "label": label,
        "bbox": bounding_box(scene.mask[..., 0]),
        "mask": scene.mask,
    }
    if decoy:
        corner, random_colour = rng.integers(4), rng.integers(10)
        colour = random_colour if split.endswith(_SHIFTED) else label
        example["image"], patch = add_patch(scene.image, corner, colour)
        example["patch_bbox"] = relative_box(*patch)
    return example


class ClutteredDigits(RenderedBuilder):
    """TensorFlow Datasets builder of `cluttered_digits`, rendered without a network."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS: ClassVar = [
        ClutteredDigitsConfig(
            name="clutter", description="Digits among scrambled strokes."
        ),
        ClutteredDigitsConfig(
            name="decoy",
            description="The same images with a patch whose colour tells the label.",
            decoy=True,
        ),
    ]

    @property
    def _has_decoy(self):
        return getattr(self.builder_config, "decoy", False)

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(SIDE, SIDE, 3)),
            "label": tfds.features.ClassLabel(names=[str(n) for n in range(10)]),
            "bbox": tfds.features.BBoxFeature(),
            "mask": tfds.features.LabeledImage(
                labels=["background", "digit"], shape=(SIDE, SIDE, 1)
            ),
        }
        if self._has_decoy:
            features["patch_bbox"] = tfds.features.BBoxFeature()
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            homepage=HOMEPAGE,
            citation=CITATION,
            # Shuffling depends on the name of the split and would part the twins.
            disable_shuffling=True,
        )

    def _sizes(self):
        sizes = super()._sizes()
        splits = split_names(self._has_decoy)
        return {split: sizes[split.removesuffix(_SHIFTED)] for split in splits}

    def _render(self, split, index):
        return render_example(split, index, decoy=self._has_decoy)
