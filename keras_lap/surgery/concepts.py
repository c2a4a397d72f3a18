"""How many concepts each LAP layer of a converted model has."""

import keras
from keras import layers

from keras_lap.graph.squashing import has_squashing_activation, is_squashing
from keras_lap.utils.standardize_count import standardize_count

MOST_CLASSES_EVERYWHERE = 32
_NORMALISING = (
    layers.BatchNormalization,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.RMSNormalization,
)


def automatic_concepts(graph, sources, stages):
    """Numbers of concepts that fit the model.

    One concept per class in every LAP layer where there are at most 32 classes.
    Otherwise only those of the last stage have class concepts and the others a single
    one, which stands for no class: a thousand maps of an early layer would cost much
    and, after a few convolutions, tell nothing apart.

    Args:
        graph: The `Graph` of the model.
        sources: The layers that LAP layers are made for, shallowest first.
        stages: Their stages.

    Returns:
        A list of integers.
    """
    if not sources:
        return []
    classes = _class_count(graph, sources[-1])
    return [
        classes if classes <= MOST_CLASSES_EVERYWHERE or stage == max(stages) else 1
        for stage in stages
    ]


def standardize_concepts(concepts):
    """Checks the `concepts` argument of `plan`, but for its addresses.

    Args:
        concepts: An integer, `"auto"`, or a dict with integers for values.

    Returns:
        `concepts` with Python integers.

    Raises:
        ValueError: If it is none of these, or a number is not positive.
    """
    if isinstance(concepts, dict):
        return {
            key: standardize_count(f"concepts[{key!r}]", count)
            for key, count in concepts.items()
        }
    if concepts == "auto":
        return concepts
    if isinstance(concepts, str):
        raise ValueError(
            'Expected `concepts` to be a positive integer, "auto" or a dict from '
            "stages or addresses of layers to positive integers. "
            f"Received: concepts={concepts!r}"
        )
    return standardize_count("concepts", concepts)


def _class_count(graph, source):
    """Number of classes, or 1 where the model's output is not one score per class."""
    outputs = graph.model.outputs
    if len(outputs) != 1 or len(outputs[0].shape) != 2 or outputs[0].shape[1] is None:
        return 1
    pooled = graph.calls_of(source)[0].outputs[0]
    decides = any(map(_decides, (call.operation for call in graph.downstream(pooled))))
    return outputs[0].shape[1] if decides else 1


def _decides(operation):
    """Whether what is behind an operation are classes, not features."""
    is_learned = isinstance(operation, keras.Layer) and operation.weights
    is_learned = is_learned and not isinstance(operation, _NORMALISING)
    return is_learned or is_squashing(operation) or has_squashing_activation(operation)
