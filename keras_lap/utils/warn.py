"""Warnings of the library."""

import contextlib
import sys
import warnings
from contextvars import ContextVar

# Packages through which a call of a user's goes on its way here.
_BETWEEN = {"keras_lap", "keras", "tensorflow", "jax", "torch", "contextlib", "optree"}
_said = ContextVar("said", default=None)


def warn(message, category=UserWarning, topic=None):
    """Warns at the line of a user that led here, be it by `fit` and a callback.

    The commands in `keras_lap.cli` are users of the library.

    Args:
        message: What is wrong, and what to do.
        category: Class of the warning.
        topic: What it is about, where the message tells it with other numbers each
            time, for `saying_once`.
    """
    said, topic = _said.get(), topic or message
    if said is not None:
        if topic in said:
            return
        said.add(topic)
    # Python 3.11 has no `skip_file_prefixes`.
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_between(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


@contextlib.contextmanager
def saying_once(said=None):
    """Within it, or within a function that it decorates, nothing is warned of twice.

    Python's own filters forget what was said whenever another is put before them.

    Args:
        said: Set of what was said before, which is added to; by default that of what
            lies around it, if anything does.
    """
    around = set() if _said.get() is None else _said.get()
    token = _said.set(around if said is None else said)
    try:
        yield
    finally:
        _said.reset(token)


def _is_between(frame):
    package, *modules = (frame.f_globals.get("__name__") or "").split(".")
    is_command = package == "keras_lap" and modules[:1] == ["cli"]
    return package in _BETWEEN and not is_command
