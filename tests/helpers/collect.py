"""What a dataset holds."""

import keras
import numpy as np


def collect(dataset):
    """All batches in one, as arrays."""
    batches = list(dataset.as_numpy_iterator())
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)
