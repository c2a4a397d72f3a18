"""What heat maps over images are made of."""

import importlib

import numpy as np

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
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            "Drawing maps needs matplotlib. Install it with "
            '`pip install "keras-lap[plot]"`.'
        ) from error
