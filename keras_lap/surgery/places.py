"""Finds the places of a model where LAP layers go."""

from dataclasses import dataclass
from typing import Any

import keras

from keras_lap.names import check_names
from keras_lap.surgery.rewrite import LeftAloneError, Rewrite
from keras_lap.surgery.rules import RULES

WHERE = ("pooling", "all")


@dataclass(frozen=True, eq=False)
class Place:
    """A layer that conversion replaces.

    Attributes:
        layer: The layer of the given model.
        rewrite: What takes its place.
    """

    layer: Any
    rewrite: Rewrite


@dataclass(frozen=True, eq=False)
class Left:
    """A layer that was looked at and stays.

    Attributes:
        layer: The layer of the given model.
        reason: Why it stays.
    """

    layer: Any
    reason: str


def find_places(graph, where, skip=()):
    """Asks the rules about every layer of a graph.

    Args:
        graph: A `Graph`.
        where: `"pooling"` or `"all"`.
        skip: Names of layers to leave alone.

    Returns:
        A list of `Place` and a list of `Left`, both by depth.

    Raises:
        ValueError: If `skip` names a layer that the graph does not have.
    """
    names = [call.operation.name for call in graph.calls]
    check_names("`skip` to hold names of the model's layers", skip, names)
    places, left, seen = [], [], set()
    for layer in (call.operation for call in graph.calls):
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if isinstance(layer, keras.Layer) and not graph.contains(layer):
            left.extend(_out_of_reach(layer))
        rule = _rule_for(layer)
        if rule is None:
            continue
        if layer.name in skip:
            left.append(Left(layer, "it was asked to be skipped"))
            continue
        if rule.where == "all" and where != "all":
            left.append(Left(layer, 'it is converted only with where="all"'))
            continue
        try:
            places.append(Place(layer, rule.rewrite(layer, graph, skip)))
        except LeftAloneError as error:
            left.append(Left(layer, str(error)))
    return places, left


def _rule_for(layer):
    return next((rule for rule in RULES if rule.matches(layer)), None)


def _out_of_reach(layer):
    reason = f"it is called inside {layer.name!r}, a layer of class "
    reason += f"{type(layer).__name__}, whose `call` is no graph to rewrite"
    inner = layer._flatten_layers(include_self=False)
    return [Left(part, reason) for part in inner if _rule_for(part)]
