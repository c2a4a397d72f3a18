import numpy as np

from keras_lap.evaluation import mu_fidelity
from metric_pictures import panels, scene


def draw():
    """Each map with its value, and the cells that are removed together."""
    maps, _ = panels.all_maps()
    images = np.stack([scene.IMAGE] * len(maps))
    values = mu_fidelity(scene.predict, images, maps, scene.TARGET).values
    figure, axes = panels.row(len(maps))
    for axis, name, map_, value in zip(axes, scene.MAPS, maps, values, strict=True):
        panels.show_map(axis, map_, f"{name}\n{value:.2f}")
        for border in np.arange(1, 9) * scene.SIZE / 9 - 0.5:
            axis.axhline(border, color="white", linewidth=0.4)
            axis.axvline(border, color="white", linewidth=0.4)
    return figure
