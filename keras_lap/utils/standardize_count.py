"""Numbers of things that a user gives."""

import operator


def standardize_count(name, value, least=1):
    """Checks a number of things.

    Args:
        name: Name of the argument, for the message.
        value: Its value.
        least: How many there are at least.

    Returns:
        An `int`.

    Raises:
        ValueError: If `value` is no integer, a boolean, or less than `least`.
    """
    try:
        count = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = None
    if count is None or count < least:
        kind = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise ValueError(f"Expected `{name}` to be {kind}. Received: {name}={value!r}")
    return count
