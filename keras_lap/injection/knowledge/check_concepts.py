"""Targets of other concepts than those of a layer."""


def check_concepts(name, count, layer):
    """Raises a `ValueError` if targets are not of as many concepts as a layer has.

    Args:
        name: The key of the targets.
        count: Of how many concepts they are, or `None` if only the data will tell.
        layer: The `LayerKnowledge`.
    """
    if count not in (None, layer.concepts):
        raise ValueError(
            f"Expected targets {name!r} of {layer.concepts} concepts, as the layer "
            f"has. Received: {count} concepts. If they are for other layers, name "
            "those in `layers` of `KnowledgeInjection`."
        )
