"""Layers that see several images, of which knowledge tells one alone."""

import itertools

from keras_lap.utils.warn import warn


def warn_of_shared_layers(supervision, losses):
    """Warns if masks and boxes are laid on calls of a layer that see different images.

    Models without a graph are not looked into.

    Args:
        supervision: The `Supervision` of the model.
        losses: List of losses.
    """
    taken = {name for loss in losses for name in loss.takes}
    if supervision.graph is None or not taken & {"mask", "boxes"}:
        return
    seen, layers = _images_seen(supervision.graph), supervision.layers
    shared = [layer.name for layer in layers if _apart(seen.get(id(layer), ()))]
    if shared:
        warn(
            f"The layers {shared} are called on several images in one pass of the "
            "model, and masks and boxes are laid on each of these alike. If they are "
            "known of one image only, teach these layers by a model of that image "
            "alone, which shares them, or leave them out of `layers`."
        )


def _apart(seen):
    """Whether there are two calls of which neither saw what the other did."""
    pairs = itertools.combinations(filter(None, seen), 2)
    return any(one.isdisjoint(other) for one, other in pairs)


def _images_seen(graph):
    """What the calls of each layer depend on, by the layer's id.

    Returns:
        Dict of sets with one element for all calls that depend on the same images: the
        frozen set of the indices of these inputs.
    """
    images, seen = _images(graph.model), {}

    def step(call, sources):
        together = frozenset().union(*sources)
        for layer in _layers_in(call.operation):
            seen.setdefault(id(layer), set()).add(together)
        return [together] * len(call.outputs)

    graph.carry([images & {index} for index in range(len(graph.model.inputs))], step)
    return seen


def _images(model):
    """Indices of the inputs that are images."""
    inputs = enumerate(model.inputs)
    return frozenset(index for index, tensor in inputs if len(tensor.shape) == 4)


def _layers_in(operation):
    """A layer and those inside of it; nothing for an operation that is no layer."""
    flatten = getattr(operation, "_flatten_layers", list)
    return flatten()
