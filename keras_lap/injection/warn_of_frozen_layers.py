"""Layers whose scores nothing that is trained can change."""

from keras_lap.injection.losses.cross_layer_loss import CrossLayerLoss
from keras_lap.injection.losses.knowledge_loss import KnowledgeLoss
from keras_lap.utils.warn import warn


def warn_of_frozen_layers(supervision, losses):
    """Warns if losses are on scores of layers that are frozen, with all before them.

    Models without a graph are not looked into.

    Args:
        supervision: The `Supervision` of the model.
        losses: List of the losses that count.
    """
    kinds = KnowledgeLoss | CrossLayerLoss
    on_layers = [loss.name for loss in losses if isinstance(loss, kinds)]
    graph, layers = supervision.graph, supervision.layers
    if not on_layers or graph is None or not _are_frozen(graph, layers):
        return
    warn(
        f"The losses {on_layers} change nothing: the supervised LAP layers "
        f"{[layer.name for layer in layers]} are frozen, and so is all in front of "
        "them. Set `trainable = True` for them, or for the model that they are in, and "
        "compile the model anew."
    )


def _are_frozen(graph, layers):
    """Whether no weight that is trained leads to the scores of any of the layers."""
    supervised, learn = {id(layer) for layer in layers}, []

    def step(call, sources):
        operation = call.operation
        learns = any(sources) or bool(getattr(operation, "trainable_weights", ()))
        parts = getattr(operation, "_flatten_layers", list)()
        if not supervised.isdisjoint(map(id, parts)):
            learn.append(learns)
        return [learns] * len(call.outputs)

    graph.carry([False] * len(graph.model.inputs), step)
    return bool(learn) and not any(learn)
