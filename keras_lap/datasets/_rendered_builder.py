"""What builders of drawn data sets have in common."""

from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from keras_lap.datasets._splits import SPLITS


class RenderedBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Builder of as many images as its `SizedConfig` says, one by one.

    Subclasses add `_info` and `_render(split, index)`, which returns an example.
    """

    def _split_generators(self, dl_manager):
        del dl_manager
        return {split: self._generate_examples(split) for split in SPLITS}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for index in range(getattr(self.builder_config, split)):
            yield index, self._render(split, index)
