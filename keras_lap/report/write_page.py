"""Writes the HTML file of a report."""

import datetime
import html
import importlib.metadata
import importlib.resources
import json
import string

import numpy as np

from keras_lap.report.charts import comparison_charts, training_charts
from keras_lap.report.figure_tables import figure_tables
from keras_lap.report.gallery import gallery
from keras_lap.utils.from_extra import from_extra
from keras_lap.utils.whole_file import whole_file

# In the order in which they use each other; the page has them as one module.
_SCRIPTS = (
    "elements",
    "figures",
    "charts",
    "samples",
    "gallery",
    "sample_dialog",
    "choices",
)


def write_page(
    path,
    explanations,
    samples,
    *,
    comparison=None,
    history=None,
    title="Explanations",
    verbose="auto",
    origin=None,
):
    """Writes what `keras_lap.report` does, of arguments that are as they should be.

    Args:
        path: The file to write.
        explanations: Dict from names to explanations of the same images.
        samples: The most samples to show.
        comparison: As for `keras_lap.report`, as is `history`.
        history: Dict of lists, or `None`.
        title: The heading.
        verbose: As for `gallery`, as is `origin`.
        origin: A tuple, or `None`.

    Raises:
        ImportError: If matplotlib or Pillow is not installed.
        OSError: If the file cannot be written. A file that was there is unharmed then.
        TypeError: If `comparison` is something else.
        ValueError: As `gallery`, or if `history` holds something else than numbers.
    """
    data = {
        "colours": _colours(),
        "tables": [] if comparison is None else figure_tables(comparison),
        "charts": [] if comparison is None else comparison_charts(comparison),
        "training": [] if history is None else training_charts(history),
        "gallery": gallery(explanations, samples, verbose, origin),
    }
    version = importlib.metadata.version("keras-lap")
    page = string.Template(_part("template.html")).substitute(
        title=html.escape(title),
        style=_part("report.css"),
        script="\n".join(_part(f"{name}.js") for name in _SCRIPTS),
        # A name that holds the end of a script must not end this one.
        data=json.dumps(data, separators=(",", ":"), allow_nan=False).replace(
            "<", r"\u003c"
        ),
        footer=f"Written by keras-lap {version} on {datetime.date.today()}.",
    )
    with whole_file(path) as new:
        new.write_text(page, encoding="utf-8")


def _part(name):
    return (
        importlib.resources.files(__package__).joinpath("page", name).read_text("utf-8")
    )


def _colours():
    """The colour map of `draw_maps` at even steps, between which the page blends."""
    with from_extra("plot", "report needs matplotlib and Pillow"):
        import PIL  # noqa: F401
        from matplotlib import colormaps
    colours = colormaps["inferno"](np.linspace(0, 1, 33))[:, :3]
    return colours.round(4).tolist()
