"""The error of labels that do not tell which concepts of a layer there are."""


class NamesNoConcepts(ValueError):  # noqa: N818
    """Labels of which it is not known which concepts of a layer they name."""
