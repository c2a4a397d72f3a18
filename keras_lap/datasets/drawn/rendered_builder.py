"""What builders of drawn data sets have in common."""

import tensorflow_datasets as tfds

from keras_lap.datasets.drawn.splits import SPLITS


class RenderedBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Builder of as many images as its `SizedConfig` says, one by one.

    Subclasses add `_info` and `_render(split, index)`, which returns an example.
    """

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
