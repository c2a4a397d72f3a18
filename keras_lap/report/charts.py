"""What the page draws as lines."""

import numpy as np

from keras_lap.report.finite import finite
from keras_lap.report.readable import readable

_VALIDATION = "val_"


def comparison_charts(comparison):
    """The curves of a comparison, one chart per protocol and metric.

    Args:
        comparison: Object with `curves`, a list of dicts with `protocol`, `model`,
            `explainer`, `metric`, `x`, `y`, `x_name` and `y_name`, or without.

    Returns:
        A list of dicts with `group`, `name`, `x_name`, `y_name` and `lines`, a list of
        dicts with `name`, `x` and `y`.
    """
    curves = getattr(comparison, "curves", None) or []
    charts = {}
    for curve in curves:
        chart = charts.setdefault(
            (curve["protocol"], curve["metric"]),
            {
                "group": str(curve["protocol"]),
                "name": readable(curve["metric"]),
                "x_name": str(curve["x_name"]),
                "y_name": str(curve["y_name"]),
                "lines": [],
            },
        )
        chart["lines"].append(
            {
                "name": str(curve["explainer"]),
                "model": str(curve["model"]),
                "x": [finite(x) for x in curve["x"]],
                "y": [finite(y) for y in curve["y"]],
            }
        )
    for chart in charts.values():
        if len({line["model"] for line in chart["lines"]}) > 1:
            for line in chart["lines"]:
                line["name"] += f", {line['model']}"
    return list(charts.values())


def training_charts(history):
    """The curves of a training, one chart per quantity, with that of validation.

    Args:
        history: Dict from names to one number per epoch, or an array of numbers, each
            of which has a line; names of validation begin with `"val_"`.

    Returns:
        A list as that of `comparison_charts`.

    Raises:
        ValueError: If there is something else than numbers.
    """
    charts = {}
    for name, values in history.items():
        epochs = _epochs(name, values)
        if not len(epochs):
            continue
        quantity = str(name).removeprefix(_VALIDATION)
        chart = charts.setdefault(
            quantity,
            {
                "group": "",
                "name": quantity,
                "x_name": "epoch",
                "y_name": quantity,
                "lines": [],
            },
        )
        kind = "validation" if str(name).startswith(_VALIDATION) else "training"
        lines = epochs.reshape(len(epochs), -1).T
        chart["lines"] += [
            {
                "name": kind if len(lines) == 1 else f"{kind} {index}",
                "x": list(range(1, len(epochs) + 1)),
                "y": [finite(value) for value in line],
            }
            for index, line in enumerate(lines)
        ]
    return list(charts.values())


def _epochs(name, values):
    """Array of a number, or as many, for each epoch."""
    try:
        epochs = np.array(values, dtype=float)
        len(epochs)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "Expected a number, or as many, for each epoch of `history`. "
            f"Received: {values!r} for {name!r}"
        ) from error
    return epochs
