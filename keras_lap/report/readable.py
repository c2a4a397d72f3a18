"""Names of metrics, for people."""


def readable(name):
    """The name of a metric as it stands in a sentence: `pointing_game` has a space."""
    return str(name).replace("_", " ")
