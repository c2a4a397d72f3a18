"""Several handwritten digits in one image, among fragments of digits."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds

from keras_lap.datasets.drawn.bounding_box import bounding_box
from keras_lap.datasets.drawn.canvas import SIDE
from keras_lap.datasets.drawn.crowd import CLASSES, MOST_DIGITS, draw_crowd
from keras_lap.datasets.drawn.handwriting import CITATION, HOMEPAGE, digits_of
from keras_lap.datasets.drawn.rendered_builder import RenderedBuilder
from keras_lap.datasets.drawn.splits import example_rng
from keras_lap.datasets.sized_config import SizedConfig

_SEED = 66

_DESCRIPTION = """
Colour images of 64 by 64 pixels, each with two to five readable handwritten digits of \
different classes on a textured background. Digits may overlap, but at least four \
fifths of the ink of each are visible. Every image comes with the classes that it \
shows, and for each of them with a mask of its visible strokes and a box around those.

Below the digits lie scrambled strokes of digits of any class, and upper or lower \
halves of digits of classes that the image does not show. They belong to no label.

The handwriting is that of `sklearn.datasets.load_digits`; training, validation and \
test images use different samples of it. The images are rendered locally with fixed \
seeds, and nothing is downloaded. Examples are stored in order of their index.
"""


def render_example(split, index):
    """Renders one example of `CrowdedDigits`, the one that the builder stores.

    Args:
        split: `"train"`, `"validation"` or `"test"`.
        index: Index of the example in its split, at least 0.

    Returns:
        A dictionary with `image`, a uint8 array of shape (64, 64, 3); `labels`, a uint8
        array of shape (10,), 1 for the digits that are there; `masks`, a uint8 array of
        shape (64, 64, 10), 1 on the visible ink of each; `boxes`, a float32 array of
        shape (5, 4), top, left, bottom and right of that ink as shares of the
        image's side, padded with -1; and `box_concepts`, an int64 array of shape (5,),
        the digit that each box is of, in ascending order, padded with -1.

    Raises:
        ValueError: If there is no such split, or the index is no integer of at least 0.
    """
    crowd = draw_crowd(example_rng(_SEED, split, index), digits_of(split))
    present = np.flatnonzero(crowd.samples >= 0)
    boxes = np.full((MOST_DIGITS, 4), -1, np.float32)
    box_concepts = np.full(MOST_DIGITS, -1)
    boxes[: len(present)] = [bounding_box(crowd.masks[..., n]) for n in present]
    box_concepts[: len(present)] = present
    return {
        "image": crowd.image,
        "labels": (crowd.samples >= 0).astype(np.uint8),
        "masks": crowd.masks,
        "boxes": boxes,
        "box_concepts": box_concepts,
    }


class CrowdedDigits(RenderedBuilder):
    """TensorFlow Datasets builder of `crowded_digits`, rendered without a network.

    Other numbers of images are a `SizedConfig`.

    Example:

    >>> from keras_lap.datasets.crowded_digits import render_example
    >>> example = render_example("train", 0)
    >>> example["labels"].tolist()
    [0, 0, 1, 1, 0, 1, 0, 0, 1, 0]
    >>> example["box_concepts"].tolist()
    [2, 3, 5, 8, -1]
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS: ClassVar = [
        SizedConfig(name="crowd", description="Two to five digits in each image.")
    ]

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(SIDE, SIDE, 3)),
            "labels": tfds.features.Tensor(shape=(CLASSES,), dtype=np.uint8),
            "masks": tfds.features.Tensor(
                shape=(SIDE, SIDE, CLASSES),
                dtype=np.uint8,
                encoding=tfds.features.Encoding.ZLIB,
            ),
            "boxes": tfds.features.Tensor(shape=(MOST_DIGITS, 4), dtype=np.float32),
            "box_concepts": tfds.features.Tensor(shape=(MOST_DIGITS,), dtype=np.int64),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "labels"),
            homepage=HOMEPAGE,
            citation=CITATION,
            disable_shuffling=True,
        )

    def _render(self, split, index):
        return render_example(split, index)
