"""Finds the places of a model where LAP layers go."""

from dataclasses import dataclass
from typing import Any

import keras

from keras_lap.graph.layers_inside import layers_inside
from keras_lap.surgery.kept_max import check_not_kept, keeping_max
from keras_lap.surgery.pooling_layer_for import pooling_layer_for
from keras_lap.surgery.rewrite import LeftAloneError, Rewrite
from keras_lap.surgery.rules import rule_for, subclass_reason


@dataclass(frozen=True, eq=False)
class Place:
    """A layer that conversion replaces.

    Attributes:
        layer: The layer of the given model.
        path: The names that lead to it.
        rewrite: What takes its place.
    """

    layer: Any
    path: tuple[str, ...]
    rewrite: Rewrite


@dataclass(frozen=True, eq=False)
class Left:
    """A layer that was looked at and stays.

    Attributes:
        layer: The layer of the given model.
        path: The names that lead to it.
        reason: Why it stays.
    """

    layer: Any
    path: tuple[str, ...]
    reason: str


def find_places(graph, where, skipped, keep_max=False):
    """Asks the rules about every layer of a graph.

    Args:
        graph: A `Graph`.
        where: `"pooling"` or `"all"`.
        skipped: Dict from ids of layers that stay, whatever their kind, to the reason.
        keep_max: Whether max poolings stay, with LAP in front.

    Returns:
        A list of `Place` and `Left`, by depth.
    """
    found = []
    for layer in graph.operations:
        path = graph.path_of(layer)
        if isinstance(layer, keras.Layer):
            found.extend(_out_of_reach(layer, path))
        elif instead := pooling_layer_for(layer, graph):
            reason = f"it is an operation: use the layer `{instead}`"
            found.append(Left(layer, path, reason))
        rule = rule_for(layer)
        if rule is None:
            if reason := subclass_reason(layer):
                found.append(Left(layer, path, reason))
            continue
        try:
            if id(layer) in skipped:
                raise LeftAloneError(skipped[id(layer)])
            if rule.where == "all" and where != "all":
                raise LeftAloneError('it is converted only with where="all"')
            if not all(_reads_floats(call) for call in graph.calls_of(layer)):
                raise LeftAloneError("it reads numbers that are no floats")
            rewrite = rule.rewrite(layer, graph, lambda other: id(other) in skipped)
            if not isinstance(rewrite, Rewrite):
                raise TypeError(
                    f"Expected {type(rule).__name__}.rewrite to return a Rewrite. "
                    f"Received: {rewrite!r}"
                )
            check_not_kept(rewrite, layer, graph)
            if keep_max:
                rewrite = keeping_max(rewrite, layer, graph)
            found.append(Place(layer, path, rewrite))
        except LeftAloneError as error:
            found.append(Left(layer, path, str(error)))
    left = {(id(each.layer), each.reason) for each in found if isinstance(each, Left)}

    def is_told(entry):
        original = graph.original_of(entry.layer)
        is_copy = isinstance(entry, Left) and original is not entry.layer
        return is_copy and (id(original), entry.reason) in left

    # Of calls of one layer that stay for one reason there is one entry.
    return [entry for entry in found if not is_told(entry)]


def _reads_floats(call):
    return all(keras.backend.is_float_dtype(tensor.dtype) for tensor in call.inputs)


def _out_of_reach(layer, path):
    reason = f"it is called inside {layer.name!r}, a layer of class "
    reason += f"{type(layer).__name__}, whose `call` is no graph to rewrite: "
    reason += "convert a model in it before it is wrapped, or make it Functional"
    inner = layers_inside(layer)
    return [
        Left(part, (*path, part.name), reason)
        for part in inner
        if rule_for(part) or subclass_reason(part)
    ]
