"""Boxes as shares of a picture's side."""

import numpy as np
import tensorflow_datasets as tfds

from keras_lap.datasets.drawn.canvas import SIDE


def bounding_box(mask):
    """Returns the smallest box around the ones of a (64, 64) mask that has some."""
    rows, columns = np.nonzero(mask)
    return relative_box(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)


def relative_box(top, left, bottom, right):
    """Converts edges in pixels to shares of the picture's side."""
    return tfds.features.BBox(
        ymin=top / SIDE, xmin=left / SIDE, ymax=bottom / SIDE, xmax=right / SIDE
    )
