"""Packages that an extra of this library installs."""

import contextlib


@contextlib.contextmanager
def from_extra(extra, needed):
    """A `with` block of imports that says how to install what is missing.

    Args:
        extra: Name of the extra.
        needed: What needs which packages, a sentence without its end.

    Raises:
        ImportError: If something is missing.

    Example:

    >>> from keras_lap.utils.from_extra import from_extra
    >>> with from_extra("plot", "Drawing needs an easel"):
    ...     import easel
    Traceback (most recent call last):
    ImportError: Drawing needs an easel. Received: No module named 'easel'. Install what
    is missing with `pip install "keras-lap[plot]"`.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"{needed}. Received: {error}. Install what is missing with "
            f'`pip install "keras-lap[{extra}]"`.'
        ) from error
