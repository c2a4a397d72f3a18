"""Names as they stand in a sentence."""


def readable(name):
    """The name of a metric as it stands in a sentence: `pointing_game` has a space."""
    return str(name).replace("_", " ")
