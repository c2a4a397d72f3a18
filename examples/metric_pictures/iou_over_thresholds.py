from keras_lap.evaluation import iou_over_thresholds
from metric_pictures import panels, scene


def draw():
    """Regions of each map at three thresholds, and the curves."""
    maps, masks = panels.all_maps()
    result = iou_over_thresholds(maps, masks)
    figure, axes = panels.row([1] * len(maps) + [1.7])
    for axis, name, map_, value in zip(
        axes[:-1], scene.MAPS, maps, result.values, strict=True
    ):
        panels.show_map(axis, map_, f"{name}\n{value:.2f}")
        for threshold in (0.25, 0.5, 0.75):
            panels.outline_of(axis, map_ >= threshold * map_.max(), "cyan")
    panels.show_curves(axes[-1], result)
    return figure
