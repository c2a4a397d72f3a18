"""matplotlib, where it is installed."""

import importlib

from keras_lap.utils.from_extra import from_extra


def matplotlib_module(name):
    """A module of matplotlib, or an `ImportError` that says how to install it."""
    with from_extra("plot", "Drawing maps needs matplotlib"):
        return importlib.import_module(name)
