"""Batches in an order that depends on a seed alone, whatever the Keras backend."""

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Shuffled batches of arrays, whose order depends on nothing but a seed.

    Where some images are wanted more often, they take the place of others of the same
    batch, and may come several times in an epoch.

    Args:
        images: Array `(N, H, W, 3)`, cast to float32 batch by batch.
        targets: Arrays `(N, ...)` in any structure. Bytes stand for shares of 255.
        batch_size: Number of images in a batch; the last one of an epoch may have
            fewer.
        seed: Seed of the order, which is another one in each epoch.
        wanted: Flags `(N,)` of images of which every batch has some.
        least: Number of these in a batch; where it has fewer, others give way.
    """

    def __init__(self, images, targets, batch_size, seed, wanted, least):
        super().__init__()
        self._images = images
        self._targets = targets
        self._batch_size = batch_size
        self._wanted = wanted
        self._least = least
        self._generator = np.random.default_rng(seed)
        # Apart, so that what is wanted does not change the order of the rest.
        self._chooser = np.random.default_rng([seed, 2])
        self._order = self._new_order()

    def __len__(self):
        return -(-len(self._images) // self._batch_size)

    def __getitem__(self, index):
        start = index * self._batch_size
        chosen = self._order[start : start + self._batch_size]
        targets = keras.tree.map_structure(
            lambda array: _shares(array[chosen]), self._targets
        )
        return self._images[chosen].astype("float32"), targets

    def on_epoch_end(self):
        self._order = self._new_order()

    def _new_order(self):
        order = self._generator.permutation(len(self._images))
        wanted = np.flatnonzero(self._wanted)
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            others = np.flatnonzero(~self._wanted[batch])
            missing = max(0, self._least - (len(batch) - len(others)))
            others = others[:missing]
            batch[others] = self._chooser.choice(wanted, len(others))
        return order


def _shares(values):
    return values.astype("float32") / 255 if values.dtype == "uint8" else values
