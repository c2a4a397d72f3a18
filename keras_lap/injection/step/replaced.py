"""Attributes of an object that are others for a while."""

import contextlib


@contextlib.contextmanager
def replaced(target, **attributes):
    """Sets attributes of an object inside of a `with` block.

    Keras' own bookkeeping of attributes, which a built model locks, takes no notice.
    """
    own = vars(target)
    before = {name: own[name] for name in attributes if name in own}
    own.update(attributes)
    try:
        yield
    finally:
        for name in attributes:
            own.pop(name)
        own.update(before)
