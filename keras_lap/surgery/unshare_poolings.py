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
    what is computed. In a model that has the pooling too, a copy is named after its
    first call, as in `"pool_call2"`.

    Args:
        graph: The `Graph` of a model.

    Returns:
        A `Graph`, the given one if there is no such pooling.

    Raises:
        ValueError: If such a pooling cannot be copied by its config.
    """
    instead = {}
    for layer in graph.layers:
        calls = graph.calls_of(layer)
        if len(calls) == 1 or layer.variables or rule_for(layer) is None:
            continue
        groups = {}
        for number, call in enumerate(calls, 1):
            groups.setdefault(_channels_read(call), []).append((number, call))
        named = set()
        # Outputs of the model keep their name first.
        for calls in sorted(groups.values(), key=lambda calls: _place(calls, graph)):
            number, first = calls[0]
            name = layer.name
            if id(first.model) in named:
                name = graph.free_name(f"{name}_call{number}")
            if named:
                copy = copy_operation(layer, name=name)
                instead.update({id(call.outputs[0]): copy for _, call in calls})
            named.add(id(first.model))
    return Graph(graph.model, instead) if instead else graph


def _channels_read(call):
    """The model of a call and the number of channels of the map that it reads."""
    layout = standardize_data_format(getattr(call.operation, "data_format", None))
    return id(call.model), call.inputs[0].shape[channel_axis(layout)]


def _place(calls, graph):
    """The first of the model's outputs that is of numbered calls, the end without."""
    places = {id(output): place for place, output in enumerate(graph.model.outputs)}
    return min(places.get(id(call.outputs[0]), len(places)) for _, call in calls)
