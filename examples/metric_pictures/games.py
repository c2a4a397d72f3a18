"""The pictures of insertion and deletion."""

import numpy as np

from metric_pictures import panels, scene


def draw(game, **options):
    """Each map with its value, and the probability as its pixels are replaced.

    Args:
        game: `insertion` or `deletion`.
        options: What else it is given.
    """
    maps, _ = panels.all_maps()
    images = np.stack([scene.IMAGE] * len(maps))
    result = game(scene.predict, images, maps, scene.TARGET, **options)
    figure, axes = panels.row([1] * len(maps) + [1.7])
    for axis, name, map_, value in zip(
        axes[:-1], scene.MAPS, maps, result.values, strict=True
    ):
        panels.show_map(axis, map_, f"{name}\n{value:.3f}")
    panels.show_curves(axes[-1], result)
    return figure
