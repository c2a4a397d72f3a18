"""What builders of drawn data sets have in common."""

import tensorflow_datasets as tfds

from keras_lap.datasets.drawn.splits import SPLITS


class RenderedBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Builder of as many images as its `SizedConfig` says, one by one.

    Subclasses add `_info` and `_render(split, index)`, which returns an example.
    """

    def as_dataset(self, *args, **options):
        """Reads what is prepared, which TFDS finds by the name of the config alone.

        Args:
            *args: Arguments of `tfds.core.DatasetBuilder.as_dataset`.
            **options: The same, by name.

        Returns:
            What TFDS returns.

        Raises:
            ValueError: If it has other numbers of images than the config.
        """
        there = {name: split.num_examples for name, split in self.info.splits.items()}
        if there and there != self._sizes():
            raise ValueError(
                f"Expected as many images as the config {self.builder_config.name!r} "
                f"says: {self._sizes()}. Received: {there}, prepared by another config "
                f"of that name. Choose another name, or delete {self.data_dir!r}."
            )
        return super().as_dataset(*args, **options)

    def _sizes(self):
        """How many images each split has."""
        return {split: getattr(self.builder_config, split) for split in SPLITS}

    def _split_generators(self, dl_manager):
        del dl_manager
        return {
            split: self._generate_examples(split, size)
            for split, size in self._sizes().items()
        }

    def _generate_examples(self, split, size):
        for index in range(size):
            yield index, self._render(split, index)
