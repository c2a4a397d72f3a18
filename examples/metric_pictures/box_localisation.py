import numpy as np
from matplotlib.patches import Rectangle

from keras_lap.evaluation import box_localisation
from metric_pictures import panels, scene

THRESHOLD = 0.4


def draw():
    """Each map's box at one threshold, and how many hit over the thresholds."""
    maps, _ = panels.all_maps()
    boxes = np.broadcast_to(scene.BOX, (len(maps), 1, 4))
    hits = box_localisation(maps, boxes, thresholds=[THRESHOLD]).values
    figure, axes = panels.row([1] * len(maps) + [1.7])
    for axis, name, map_, hit in zip(axes[:-1], scene.MAPS, maps, hits, strict=True):
        panels.show_map(
            axis, map_, f"{name}\n{'hit' if hit else 'miss'}", outline=False
        )
        _show_box(axis, scene.BOX * scene.SIZE, panels.OUTLINE)
        # Each of these maps has one component at this threshold.
        rows, columns = np.nonzero(map_ - map_.min() >= THRESHOLD * np.ptp(map_))
        box = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
        _show_box(axis, box, panels.HIT if hit else panels.MISS)
    for least, style in ((0.3, ":"), (0.5, "-"), (0.7, "--")):
        curve = box_localisation(maps, boxes, iou=least).curve
        axes[-1].plot(curve.x, curve.mean, f"C0{style}", label=f"IoU of {least:g}")
    axes[-1].axvline(THRESHOLD, color="grey", linewidth=0.8)
    axes[-1].set(xlabel="threshold", ylabel="share of the four that hit")
    axes[-1].legend(fontsize=7)
    return figure


def _show_box(axis, box, colour):
    top, left, bottom, right = box
    # Pixels are drawn around their coordinates.
    axis.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5),
            right - left,
            bottom - top,
            fill=False,
            color=colour,
            linewidth=1.8,
        )
    )
