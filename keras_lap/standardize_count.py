"""Numbers of things that a user gives."""

import operator


def standardize_count(name, value):
    """Checks a number of things of which there is at least one.

    Args:
        name: Name of the argument, for the message.
        value: Its value.

    Returns:
        An `int`.

    Raises:
        ValueError: If `value` is no integer, a boolean, or less than 1.
    """
    try:
        count = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(
            f"Expected `{name}` to be a positive integer. Received: {name}={value!r}"
        )
    return count
