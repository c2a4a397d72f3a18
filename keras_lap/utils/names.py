"""Names that a user gives, checked against those that exist."""

import difflib


def listed(names):
    """Names as a list; a single one, given as a string, is a list of one."""
    return [names] if isinstance(names, str) else list(names)


def near_names(name, names):
    """A question whether one of the names nearest to another was meant, or `""`."""
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.4)
    return f"Did you mean {near}?" if near else ""


def check_names(what, given, names):
    """Raises a `ValueError` that suggests near names if one is unknown.

    Args:
        what: What the names stand for, as in "`layers` to be names of LAP layers".
        given: Names to check.
        names: The names that exist.

    Raises:
        ValueError: If one of `given` is not in `names`.
    """
    for name in given:
        if name not in names:
            some = some_of_many(map(repr, names), 20)
            hint = near_names(name, names) or f"The names are [{some}]."
            raise ValueError(f"Expected {what}. Received: {name!r}. {hint}")


def some_of_many(names, most):
    """The first names with commas between them, and how many more there are.

    Args:
        names: Any objects, written by `str`.
        most: How many are named at most.

    Example:

    >>> from keras_lap.utils.names import some_of_many
    >>> some_of_many(range(100), 3)
    '0, 1, 2 and 97 more'
    """
    names = list(map(str, names))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def check_choice(name, value, choices):
    """Raises a `ValueError` if `value` is none of `choices`."""
    if value not in choices:
        raise ValueError(
            f"Expected `{name}` to be one of {choices}. Received: {name}={value!r}"
        )
