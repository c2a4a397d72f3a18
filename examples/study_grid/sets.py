"""The data sets of the study."""

import dataclasses
from dataclasses import dataclass, field

# The attributes of beetles that determine the species; legs and antennae do not.
MARKS = ["spot_mark", "ring_mark", "bar_mark", "cross_mark", "paired_mark"]


@dataclass(frozen=True)
class StudySet:
    """A data set of TensorFlow Datasets, and which parts of it are used for what.

    Attributes:
        name: Name in cells, tables and file names.
        source: Name in TensorFlow Datasets.
        splits: Dict from the splits of the study to those of the source. What is chosen
            is chosen on `validation`; tables show `test`. Splits named `..._shifted`
            lack the shortcut that the others have.
        classes: Number of classes.
        train: Number of training images, where they are drawn for the purpose.
        image_size: Height and width to stretch images to, or `None` if they have it.
        several: Whether an image may have several labels at once, or none.
        attributes: Number of attributes in `concepts`, 0 for none.
        has_masks: Whether it is known where the class is to be seen.
        epochs: Of training from scratch.
        tuned_epochs: Of fine-tuning.
        twin: Name of the set with the same images without a shortcut, if any.
        options: Options of `keras_lap.datasets.with_knowledge`.
    """

    name: str
    source: str
    splits: dict
    classes: int
    train: int | None = None
    image_size: int | None = None
    several: bool = False
    attributes: int = 0
    has_masks: bool = True
    epochs: int = 4
    tuned_epochs: int = 2
    twin: str | None = None
    options: dict = field(default_factory=dict)

    @property
    def side(self):
        """Height and width of the images as they are stored."""
        return self.image_size or 64

    @property
    def activation(self):
        """What the network ends in."""
        return "sigmoid" if self.several else "softmax"

    @property
    def shifted(self):
        """Names of the splits without the shortcut."""
        return [split for split in self.splits if split.endswith("_shifted")]

    def datasets(self, data_dir, count=None):
        """Batches of images and targets of every split, by `keras_lap.datasets.load`.

        Args:
            data_dir: Folder for data sets, by default that of TFDS.
            count: Number of images of each split, where data are drawn for the purpose.
        """
        # Not needed where the arrays are there already: they bring TensorFlow along.
        import tensorflow_datasets as tfds

        from keras_lap.datasets import SizedConfig, load, with_knowledge

        builder = tfds.builder(self.source, data_dir=data_dir)
        if isinstance(builder.builder_config, SizedConfig):
            config = _sized(builder.builder_config, self.train, count)
            builder = type(builder)(config=config, data_dir=data_dir)
        knowledge = with_knowledge(self.source, **self.options)
        size = self.image_size and (self.image_size, self.image_size)
        return {
            split: load(builder, of_source, size, batch_size=250, knowledge=knowledge)
            for split, of_source in self.splits.items()
        }


def _sized(config, train, count):
    """The configuration with so many training images, or `count` in every split."""
    sizes = dict.fromkeys(("train", "validation", "test"), count) if count else {}
    sizes = {"train": train, **sizes}
    if all(getattr(config, split) == size for split, size in sizes.items()):
        return config
    name = f"{config.name}_{sizes['train']}"
    return dataclasses.replace(config, name=name, **sizes)


def _drawn(name, source, classes, train=6000, shifted=False, **options):
    splits = {split: split for split in ("train", "validation", "test")}
    if shifted:
        splits |= {
            f"{split}_shifted": f"{split}_shifted" for split in ("validation", "test")
        }
    return StudySet(name, source, splits, classes, train, **options)


def _downloaded(name, classes, splits, **options):
    splits = dict(zip(("train", "validation", "test"), splits, strict=True))
    return StudySet(name, name, splits, classes, image_size=128, **options)


# Drawn here, without a network. How long it takes to learn them was tried on
# `validation`: handwriting takes long, and the patch of `decoy` no time at all.
CORE_SETS = {
    each.name: each
    for each in (
        _drawn("clutter", "cluttered_digits/clutter", 10, epochs=3, tuned_epochs=3),
        _drawn(
            "decoy",
            "cluttered_digits/decoy",
            10,
            shifted=True,
            twin="clutter",
            epochs=1,
            tuned_epochs=4,
        ),
        _drawn(
            "crowded",
            "crowded_digits",
            10,
            several=True,
            epochs=3,
            tuned_epochs=3,
        ),
        _drawn(
            "beetles",
            "spotted_beetles",
            8,
            train=4000,
            attributes=len(MARKS),
            options={"attributes": MARKS},
            epochs=3,
            tuned_epochs=4,
        ),
    )
}
# Parts of ImageNet that fit into memory as arrays.
_OF_IMAGENET = ("train[:50000]", "train[50000:52000]", "validation[:5000]")
_NINE_TENTHS = ("train[:90%]", "train[90%:]", "test")
DOWNLOADED_SETS = {
    each.name: each
    for each in (
        _downloaded("oxford_iiit_pet", 37, _NINE_TENTHS, epochs=20, tuned_epochs=10),
        _downloaded("caltech_birds2011", 200, _NINE_TENTHS, epochs=30, tuned_epochs=15),
        _downloaded("imagenet2012", 1000, _OF_IMAGENET, has_masks=False, epochs=20),
    )
}
SETS = {**CORE_SETS, **DOWNLOADED_SETS}
