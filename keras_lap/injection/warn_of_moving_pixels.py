"""Augmentation that knowledge does not follow."""

import keras

from keras_lap.injection.losses.perturbation_loss import PerturbationLoss
from keras_lap.utils.moves_pixels import moves_pixels
from keras_lap.utils.warn import warn


def warn_of_moving_pixels(supervision, losses):
    """Warns if a model moves its images away from what losses compare them with.

    Args:
        supervision: The `Supervision` of the model.
        losses: List of losses.
    """
    named = {name for loss in losses for name in loss.takes}
    changes_images = any(isinstance(loss, PerturbationLoss) for loss in losses)
    if not changes_images and not named & {"mask", "boxes"}:
        return
    followed = _followed(supervision.graph)
    moving = [
        layer.name
        for layer in supervision.model._flatten_layers()
        if not isinstance(layer, keras.Model)
        and moves_pixels(layer)
        and id(layer) not in followed
    ]
    if moving:
        warn(
            f"The layers {moving} of the model move its images, but not the masks "
            "and boxes, nor the images that losses change. Augment the data set "
            "instead, by `keras_lap.datasets.augmented`, which moves all together.",
        )


def _followed(graph):
    """Ids of the layers that cut images where the graph says so, and maps follow."""
    if graph is None:
        return set()
    operations = (call.operation for call in graph.calls)
    cuts = keras.layers.CenterCrop, keras.layers.Resizing
    return {id(operation) for operation in operations if isinstance(operation, cuts)}
