import numpy as np

from keras_lap.evaluation import pointing_game
from metric_pictures import panels, scene


def draw():
    """Each map's maximum, and how far from the object it may lie."""
    maps, masks = panels.all_maps()
    results = {
        tolerance: pointing_game(maps, masks, tolerance).values for tolerance in (0, 15)
    }
    figure, axes = panels.row(len(maps))
    for number, (axis, name) in enumerate(zip(axes, scene.MAPS, strict=True)):
        values = [f"{results[tolerance][number]:.0f}" for tolerance in results]
        panels.show_map(
            axis, maps[number], f"{name}\n{values[0]}, within 15 pixels {values[1]}"
        )
        y, x = np.unravel_index(maps[number].argmax(), scene.MASK.shape)
        colour = panels.HIT if scene.MASK[y, x] else panels.MISS
        axis.plot(x, y, "+", color=colour, markersize=14, markeredgewidth=2.5)
    return figure
