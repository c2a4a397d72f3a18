"""The pictures of what is left of the probability in what a map shows."""

import numpy as np

from metric_pictures import panels, scene

_SQUARE = (scene.IMAGE[..., 0] > 0.5) & ~scene.MASK


def predict_between(images):
    """Probabilities of "square" and "disc": the brighter of the two wins."""
    disc, square = (images[:, at].mean(axis=(1, 2)) for at in (scene.MASK, _SQUARE))
    probability = 1 / (1 + np.exp(-10 * (disc - square)))
    return np.stack([1 - probability, probability], axis=-1)


def draw(metric, predict, decimals):
    """The image, and what each map shows of it, with the probability and the value.

    Args:
        metric: `average_drop`, `average_gain` or `increase_in_confidence`.
        predict: The model.
        decimals: Decimals of the value.
    """
    maps, _ = panels.all_maps()
    images = np.stack([scene.IMAGE] * len(maps))
    values = metric(predict, images, maps, scene.TARGET).values
    low, high = (f(maps, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    shown = ((maps - low) / (high - low))[..., None] * images
    figure, axes = panels.row(len(maps) + 1)
    names = ["the image", *scene.MAPS]
    probabilities = predict(np.concatenate([images[:1], shown]))[:, scene.TARGET]
    for number, (axis, name) in enumerate(zip(axes, names, strict=True)):
        value = f"{values[number - 1]:.{decimals}f}, " if number else ""
        axis.imshow(shown[number - 1] if number else scene.IMAGE)
        axis.set_title(f"{name}\n{value}p = {probabilities[number]:.2f}", fontsize=9)
        axis.set_axis_off()
    return figure
