"""Looks for boxes of concepts that no layer has."""


def unknown_box_concepts(forward):
    """The numbers in `"box_concepts"` that are too high for all layers, for a `Watch`.

    Args:
        forward: A `ForwardPass`.
    """
    most = max(layer.logits.shape[-1] for layer in forward.layers)
    if "box_concepts" not in forward.knowledge.given or most == 1:
        return None
    return (
        forward.knowledge.clean("box_concepts") >= most,
        lambda count: (
            f"Expected 'box_concepts' from 0 to {most - 1}, as no supervised layer has "
            f"more than {most} concepts, or -1. Received {count} above, whose boxes "
            "are left out. Count classes from 0, in the order of the model."
        ),
    )
