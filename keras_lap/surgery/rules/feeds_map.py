"""Whether what was pooled goes back into a feature map."""

import math


def feeds_map(call, graph):
    """Whether the result of a global pooling is read along with a feature map.

    Args:
        call: The call of the pooling.
        graph: The `Graph` that it is in.
    """
    pooled, result = call.inputs[0], call.outputs[0]
    return any(
        any(_is_map(tensor) for tensor in later.outputs)
        # The shape alone does not give away a gate on a map of one pixel.
        or any(tensor is pooled for tensor in later.inputs)
        for later in graph.downstream(result)
    )


def _is_map(tensor):
    """Whether a tensor holds features at more than one place of an image."""
    sizes = [math.inf if size is None else size for size in tensor.shape[1:]]
    return len(sizes) == 3 and sum(size > 1 for size in sizes) > 1
