"""What is known about a batch, as it concerns the images themselves."""

import functools

from keras import ops

from keras_lap.injection.knowledge.layer_knowledge import LayerKnowledge
from keras_lap.injection.places.even_cells import even_cells


class ImageKnowledge(LayerKnowledge):
    """Knowledge about a batch, fitted to the pixels of the images.

    It is that of a layer with as many pixels, and with a single concept, what there is
    to look at, which is present in every image whatever its label is.

    Args:
        knowledge: A `Knowledge`.
        size: Number of the images, their height and their width.
    """

    def __init__(self, knowledge, size):
        self._samples, *size = size
        super().__init__(knowledge, even_cells(size), 1, class_concepts=None)

    @functools.cached_property
    def present(self):
        """Ones, `(N, 1)`."""
        return ops.ones((self._samples, 1))

    def _has_labels(self):
        return True
