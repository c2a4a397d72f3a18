"""What the pictures have in common."""

import numpy as np
from matplotlib.figure import Figure

from metric_pictures import scene

OUTLINE, HIT, MISS = "white", "lime", "red"
# One colour per map, in the order of `scene.MAPS`.
COLOURS = {name: f"C{number}" for number, name in enumerate(scene.MAPS)}


def row(columns, width=2.3, height=2.8):
    """A figure with one row of axes.

    Args:
        columns: Number of axes, or a list of how wide each is compared with the others.
        width: Width of an axes of 1, in inches.
        height: Height of the figure, in inches.

    Returns:
        The figure and a list of its axes.
    """
    shares = [1] * columns if isinstance(columns, int) else columns
    figure = Figure(figsize=(width * sum(shares), height), layout="constrained")
    axes = figure.subplots(1, len(shares), width_ratios=shares, squeeze=False)
    return figure, list(axes[0])


def show_map(axis, map_, title, outline=True):
    """Draws a map `(H, W)` over the image of the scene, with the object's outline."""
    axis.imshow(scene.IMAGE)
    axis.imshow(map_, cmap="inferno", alpha=0.75, vmin=min(0, map_.min()))
    if outline:
        outline_of(axis, scene.MASK, OUTLINE)
    # Hidden ticks would take most of the time.
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)
    axis.set_axis_off()


def outline_of(axis, region, colour):
    """Draws the outline of a boolean region `(H, W)`."""
    axis.contour(region.astype(float), levels=[0.5], colors=[colour], linewidths=1.5)


def show_curves(axis, result):
    """Draws one line per sample of a result's curve; the samples are the scene's maps.

    Args:
        axis: Axes to draw on.
        result: `MetricResult` of as many samples as there are maps.
    """
    curve = result.curve
    for (name, colour), line in zip(COLOURS.items(), curve.y, strict=True):
        axis.plot(curve.x, line, color=colour, label=name)
    axis.set(xlabel=curve.x_name, ylabel=curve.y_name, ylim=(-0.03, 1.03))
    axis.legend(fontsize=7)


def all_maps():
    """The maps of the scene and its mask as often: `(4, 64, 64)` each."""
    maps = np.stack(list(scene.MAPS.values()))
    return maps, np.stack([scene.MASK] * len(maps))
