"""Draws values of runs, their means and intervals, side by side."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from study_grid.page.estimate import estimate
from study_grid.page.palette import COLOURS, MARKERS, SMALL, WIDTH


@dataclass(frozen=True)
class Panel:
    """One axes.

    Attributes:
        title: What stands above it.
        unit: What stands below it.
        series: Dict from names to dicts from labels to values: dicts from runs to
            numbers. Series of the same place in the dict have the same colour in all
            panels.
        lines: Numbers at which vertical lines stand.
        is_log: Whether the axis is logarithmic.
    """

    title: str
    unit: str
    series: dict
    lines: tuple = ()
    is_log: bool = False


def draw_dots(panels, labels, shares_axis=True):
    """Draws a grid of panels, with a line of dots for each label.

    Ticks are runs, dots their means, and bars the intervals of the means.

    Args:
        panels: List of rows, each a list of `Panel`s.
        labels: The labels, from the top down.
        shares_axis: Whether the axes of a row of panels reach equally far.

    Returns:
        A figure.
    """
    count = max(len(panel.series) for row in panels for panel in row)
    height = 0.8 + (0.07 + 0.08 * count) * len(labels)
    figure = Figure(figsize=(WIDTH, 0.4 + height * len(panels)), layout="constrained")
    axes = figure.subplots(
        len(panels),
        len(panels[0]),
        squeeze=False,
        sharex="row" if shares_axis else False,
        sharey=True,
    )
    for row, row_of_axes in zip(panels, axes, strict=True):
        for panel, axis in zip(row, row_of_axes, strict=True):
            _draw(axis, panel, labels)
    handles, names = axes[0, 0].get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(
            handles, names, loc="outside upper center", ncols=len(names), fontsize=SMALL
        )
    return figure


def _draw(axis, panel, labels):
    for number in range(0, len(labels), 2):
        axis.axhspan(number - 0.5, number + 0.5, color="0.95", zorder=0)
    for line in panel.lines:
        axis.axvline(line, color="0.4", linewidth=1, linestyle=":" if line else "-")
    step = 0.7 / len(panel.series)
    for number, (name, values) in enumerate(panel.series.items()):
        style = {"color": COLOURS[number], "marker": MARKERS[number]}
        offset = (number - (len(panel.series) - 1) / 2) * step
        found = {
            place + offset: values[label]
            for place, label in enumerate(labels)
            if values.get(label)
        }
        for height, runs in found.items():
            axis.plot(
                list(runs.values()),
                [height] * len(runs),
                linestyle="",
                marker="|",
                markersize=4,
                alpha=0.5,
                color=style["color"],
            )
        estimates = [estimate(runs) for runs in found.values()]
        axis.errorbar(
            [each.mean for each in estimates],
            list(found),
            xerr=[each.half_width or 0 for each in estimates],
            linestyle="",
            elinewidth=1,
            markersize=4,
            label=name,
            **style,
        )
    if panel.is_log:
        axis.set_xscale("log")
    axis.set_yticks(range(len(labels)), labels, fontsize=SMALL)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.tick_params(axis="x", labelsize=SMALL)
    axis.set_xlabel(panel.unit, fontsize=SMALL)
    axis.set_title(panel.title, fontsize=SMALL + 1)
