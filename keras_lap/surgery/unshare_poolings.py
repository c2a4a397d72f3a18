"""Poolings that are called where no single LAP layer could be."""

from keras_lap.graph.call_graph import Graph
from keras_lap.surgery.copies import copy_operation
from keras_lap.surgery.rules import rule_for
from keras_lap.utils.layout import channel_axis, standardize_data_format


def unshare_poolings(graph):
    """The graph in which calls of one pooling that cannot share LAP have their own.

    A score head reads maps of one number of channels, and a layer with weights that is
    in several models comes back from a file as several. A pooling has no weights, so
    calls in other models or of other channels can have a copy of it without a change to
    what is computed. The copy is named after the first of them, as in `"pool_call2"`.

    Args:
        graph: The `Graph` of a model.

    Returns:
        A `Graph`, the given one if there is no such pooling.

    Raises:
        ValueError: If such a pooling cannot be copied by its config.
    """
    instead = {}
    for layer in graph.layers:
        if layer.variables or rule_for(layer) is None:
            continue
        groups = {}
        for number, call in enumerate(graph.calls_of(layer), 1):
            groups.setdefault(_channels_read(call), []).append((number, call))
        # The name of an output of the model stays.
        _, *others = sorted(groups.values(), key=lambda calls: not _ends(calls, graph))
        for calls in others:
            name = graph.free_name(f"{layer.name}_call{calls[0][0]}")
            copy = copy_operation(layer, name=name)
            instead.update({id(call.outputs[0]): copy for _, call in calls})
    return Graph(graph.model, instead) if instead else graph


def _channels_read(call):
    """The model of a call and the number of channels of the map that it reads."""
    layout = standardize_data_format(getattr(call.operation, "data_format", None))
    return id(call.model), call.inputs[0].shape[channel_axis(layout)]


def _ends(calls, graph):
    """Whether an output of the model is among those of numbered calls."""
    ends = set(map(id, graph.model.outputs))
    return any(id(call.outputs[0]) in ends for _, call in calls)
