"""A few of many files, to look into."""

from keras_lap.utils.evenly_spaced import evenly_spaced

_MOST = 8


def some_of(files, most=_MOST):
    """At most so many of a list, evenly spaced."""
    return [files[at] for at in evenly_spaced(len(files), most)]
