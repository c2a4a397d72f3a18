"""How well the LAP maps of a network lie on what they should show."""

import numpy as np

import keras_lap
from keras_lap.evaluation import energy_in_mask, iou_at_equal_area, pointing_game

COMBINATIONS = ("flow", "mean", "product", "layer")
METRICS = (pointing_game, energy_in_mask, iou_at_equal_area)


def lap_maps(model, images, targets, tied, combine="flow"):
    """The map of one class for each image.

    Args:
        model: A network with LAP layers.
        images: uint8 `(N, H, W, 3)`.
        targets: int `(N,)`.
        tied: Whether something ties concepts to classes. If not, the map is the highest
            of all concepts.
        combine: As for `keras_lap.explain`.

    Returns:
        float32 `(N, H, W)`.
    """
    maps = np.empty(images.shape[:3], "float32")
    for start in range(0, len(images), 50):
        part = slice(start, start + 50)
        found = keras_lap.explain(
            model, images[part].astype("float32"), combine=combine, verbose=False
        ).maps
        if tied and found.shape[-1] > 1:
            maps[part] = found[np.arange(len(found)), ..., targets[part]]
        else:
            maps[part] = found.max(axis=-1)
    return maps


def validity(maps, masks):
    """Dict from the names of the metrics to their means."""
    return {metric.__name__: metric(maps, masks).mean for metric in METRICS}
