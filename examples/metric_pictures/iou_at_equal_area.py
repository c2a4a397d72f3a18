import numpy as np

from keras_lap.evaluation import iou_at_equal_area
from metric_pictures import panels, scene


def draw():
    """As many of each map's highest pixels as the object has."""
    maps, masks = panels.all_maps()
    values = iou_at_equal_area(maps, masks).values
    figure, axes = panels.row(len(maps))
    for axis, name, map_, value in zip(axes, scene.MAPS, maps, values, strict=True):
        panels.show_map(axis, map_, f"{name}\n{value:.2f}")
        panels.outline_of(axis, map_ >= np.sort(map_, None)[-scene.MASK.sum()], "cyan")
    return figure
