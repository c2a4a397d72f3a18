"""Numbers of concepts that a loss was given."""


def check_numbers(name, given, highest, concepts):
    """Raises a `ValueError` if a layer lacks one of the concepts that are meant.

    Args:
        name: Name of the loss's argument.
        given: Its value.
        highest: The highest number in it.
        concepts: Number of the layer's concepts.
    """
    if highest >= concepts:
        raise ValueError(
            f"Expected numbers of the layer's concepts in `{name}`, 0 to "
            f"{concepts - 1}. Received: {name}={given}. If they are of other layers, "
            "name those in `layers` of `KnowledgeInjection`."
        )
