"""What heat maps over images are made of."""

import importlib

import numpy as np

from keras_lap.utils.from_extra import from_extra

_LUMINANCE = np.array([[0.299], [0.587], [0.114]])  # ITU-R BT.601


def grey(images):
    """Luminance of images `(..., 3)`, as float `(..., 3)` of their range."""
    return np.repeat(images @ _LUMINANCE, 3, axis=-1)


def scaled_by_peak(map_):
    """A map by its own maximum, negative values set to zero, one without any zero."""
    positive = np.maximum(map_, 0)
    peak = positive.max()
    return positive / peak if peak > 0 else positive


def matplotlib_module(name):
    """A module of matplotlib, or an `ImportError` that says how to install it."""
    with from_extra("plot", "Drawing maps needs matplotlib"):
        return importlib.import_module(name)
