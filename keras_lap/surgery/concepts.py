"""How many concepts each LAP layer of a converted model has."""

import keras

from keras_lap.layers.base_la_pooling import standardize_count
from keras_lap.names import check_names


def choose_concepts(concepts, graph, laps):
    """Resolves the `concepts` argument of `convert`.

    With `"auto"` the deepest LAP layer has one concept per class, and every other one
    has a single concept that stands for no class: features of a few convolutions
    cannot tell the classes apart, so more concepts there would cost more and say no
    more.

    Args:
        concepts: An integer for all layers, `"auto"`, or a dict from names of LAP
            layers to integers, with `"auto"` for the others.
        graph: The `Graph` of the model.
        laps: The `Lap` parts of all places, shallowest first.

    Returns:
        A list with one integer for each of `laps`.

    Raises:
        ValueError: If `concepts` is none of these, names no LAP layer, or a number is
            no positive integer.
    """
    if not isinstance(concepts, str | dict):
        return [standardize_count("concepts", concepts)] * len(laps)
    if isinstance(concepts, str) and concepts != "auto":
        raise ValueError(
            'Expected `concepts` to be a positive integer, "auto" or a dict from layer '
            f"names to positive integers. Received: concepts={concepts!r}"
        )
    named = {} if concepts == "auto" else concepts
    check_names(
        "the keys of `concepts` to be names of the LAP layers",
        named,
        [lap.name for lap in laps],
    )
    named = {
        name: standardize_count(f"concepts[{name!r}]", count)
        for name, count in named.items()
    }
    automatic = [1] * (len(laps) - 1) + [_class_count(graph, laps[-1])]
    return [
        named.get(lap.name, count) for lap, count in zip(laps, automatic, strict=True)
    ]


def _class_count(graph, deepest):
    """Number of classes, or 1 where the model's output is not one score per class."""
    outputs = graph.model.outputs
    if len(outputs) != 1 or len(outputs[0].shape) != 2 or outputs[0].shape[1] is None:
        return 1
    pooled = graph.calls_of(deepest.source)[0].outputs[0]
    # Without weights on the way the output is a vector of features, not of classes.
    decides = any(
        isinstance(call.operation, keras.Layer) and call.operation.weights
        for call in graph.downstream(pooled)
    )
    return outputs[0].shape[1] if decides else 1
