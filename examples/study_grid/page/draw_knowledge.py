"""Draws what knowledge of some of the images does."""

from matplotlib.figure import Figure

from study_grid.page.estimate import estimate
from study_grid.page.palette import COLOURS, MARKERS, SMALL, WIDTH


def draw_knowledge(ways, levels):
    """Draws quality under shift against the share of images told of.

    Args:
        ways: Dict from ways to tell to dicts from shares to values: dicts from seeds to
            numbers.
        levels: Dict from names of networks that are told of no places, or of another
            set, to values. They are drawn as horizontal lines.

    Returns:
        A figure.
    """
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axis = figure.subplots()
    shares = sorted({100 * share for found in ways.values() for share in found})
    for number, (name, found) in enumerate(ways.items()):
        _draw(
            axis, name, found, COLOURS[number], MARKERS[number], 1.06 ** (number - 1.5)
        )
    styles = ("-", ":", "--")
    for style, (name, values) in zip(styles, levels.items(), strict=True):
        if values:
            axis.axhline(
                estimate(values).mean,
                color="0.3",
                linestyle=style,
                label=name,
                zorder=1,
            )
    axis.set_xscale("log")
    axis.set_xticks(shares, [f"{share:g}" for share in shares])
    axis.minorticks_off()
    axis.set(
        xlabel="images told of (%)", ylabel="accuracy on test_shifted", ylim=(0, 1.02)
    )
    axis.grid(axis="y", color="0.9")
    figure.legend(loc="outside right center", fontsize=SMALL + 1)
    return figure


def _draw(axis, name, found, colour, marker, shift):
    """One line, its runs as ticks, moved sideways so that all bars stay visible."""
    found = {100 * share * shift: values for share, values in found.items() if values}
    for place, values in found.items():
        axis.plot(
            [place] * len(values),
            list(values.values()),
            linestyle="",
            marker="_",
            markersize=9,
            color=colour,
        )
    estimates = [estimate(values) for values in found.values()]
    axis.errorbar(
        list(found),
        [each.mean for each in estimates],
        yerr=[each.half_width or 0 for each in estimates],
        markersize=5,
        elinewidth=1,
        label=name,
        color=colour,
        marker=marker,
    )
