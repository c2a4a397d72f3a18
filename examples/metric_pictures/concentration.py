"""Maps between one pixel and the whole image, for metrics that need no object."""

import numpy as np

from metric_pictures import panels, scene


def maps():
    """Dict from names to maps `(64, 64)`, from the most to the least concentrated."""
    pixel = np.zeros_like(scene.MAPS["the object"])
    pixel[scene.CENTER] = 1
    return {
        "one pixel": pixel,
        **{name: scene.MAPS[name] for name in ("a part of it", "the object")},
        "around it": scene.MAPS["around it"],
        "everywhere": np.ones_like(pixel),
    }


def draw_values(metric, title):
    """A figure of the maps, each with what a metric says of it.

    Args:
        metric: Function from maps `(N, H, W)` to a `MetricResult`.
        title: Function from a value to a string.
    """
    named = maps()
    values = metric(np.stack(list(named.values()))).values
    figure, axes = panels.row(len(named))
    for axis, (name, map_), value in zip(axes, named.items(), values, strict=True):
        panels.show_map(axis, map_, f"{name}\n{title(value)}", outline=False)
    return figure
