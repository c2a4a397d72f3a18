"""The numbers of images in the variants of a data set that is drawn here."""

import dataclasses

import tensorflow_datasets as tfds

from keras_lap.datasets.drawn.splits import SPLITS
from keras_lap.utils.standardize_count import standardize_count


@dataclasses.dataclass(kw_only=True)
class SizedConfig(tfds.core.BuilderConfig):
    """How many images a variant of a data set has.

    A smaller or larger variant is a config of another name, for what was drawn is found
    by the name alone. Image i of a split is the same whatever the sizes are.

    Attributes:
        train: Number of training images, at least 1.
        validation: Number of validation images, at least 1.
        test: Number of test images, at least 1.

    Raises:
        ValueError: If a number of images is not an integer of at least 1.

    Example:

    >>> from keras_lap.datasets import CrowdedDigits, SizedConfig
    >>> builder = CrowdedDigits(config=SizedConfig(name="tiny", train=20))
    >>> builder.builder_config.train, builder.builder_config.test
    (20, 1000)
    """

    train: int = 6000
    validation: int = 600
    test: int = 1000

    def __post_init__(self):
        for split in SPLITS:
            setattr(self, split, standardize_count(split, getattr(self, split)))
