from keras_lap.evaluation import energy_in_mask
from metric_pictures import panels, scene


def draw():
    """The part of each map that lies on the object."""
    maps, masks = panels.all_maps()
    values = energy_in_mask(maps, masks).values
    figure, axes = panels.row(len(maps))
    for axis, name, map_, value in zip(axes, scene.MAPS, maps, values, strict=True):
        panels.show_map(axis, map_, f"{name}\n{value:.2f} of it in the outline")
    return figure
