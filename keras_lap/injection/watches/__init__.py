"""Watches over the steps of a training, each for one thing that is to be warned of."""

from keras_lap.injection.watches.watches_of import watches_of

__all__ = ["watches_of"]
