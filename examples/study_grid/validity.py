"""How well the LAP maps of a network lie on what they should show."""

from keras_lap.evaluation import energy_in_mask, iou_at_equal_area, pointing_game
from keras_lap.evaluation.explainers import LAP

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
    explainer = LAP(combine, class_concepts=None if tied else "highest", batch_size=50)
    return explainer.explain(model, images.astype("float32"), targets)


def validity(maps, masks):
    """Dict from the names of the metrics to their means."""
    return {metric.__name__: metric(maps, masks).mean for metric in METRICS}
