"""What the page shows of a comparison as tables."""

from keras_lap.report.finite import finite
from keras_lap.report.readable import readable

# No row for a star: what is cheapest does not explain best.
_COSTS = ("seconds per image", "peak MiB per image")


def figure_tables(comparison):
    """The figures of a comparison, one table per protocol, as the page reads them.

    Args:
        comparison: Object with `rows`, a list of dicts with `protocol`, `model`,
            `explainer`, `metric`, `mean`, `low`, `high`, `counted`, `left_out`,
            `higher_is_better` and perhaps `error`; and perhaps with `accuracy`, a dict
            from models to shares.

    Returns:
        A list of dicts with `protocol`; `models`, with their accuracy; `columns`, what
        is compared; `rows`, one per metric, with one cell, or None, per column; and
        `failures`, a list of sentences.

    Raises:
        TypeError: If `comparison` has no rows.
    """
    rows = getattr(comparison, "rows", None)
    if rows is None:
        raise TypeError(
            "Expected `comparison` as `keras_lap.evaluation.compare` returns it. "
            f"Received: a {type(comparison).__name__}"
        )
    accuracy = getattr(comparison, "accuracy", None) or {}
    return [
        _table(
            protocol,
            [row for row in rows if row["protocol"] == protocol],
            accuracy,
        )
        for protocol in dict.fromkeys(row["protocol"] for row in rows)
    ]


def _table(protocol, rows, accuracy):
    columns = list(dict.fromkeys((row["model"], row["explainer"]) for row in rows))
    cells = {(row["metric"], row["model"], row["explainer"]): row for row in rows}
    # What failed everywhere is no row, and does not know which way is better.
    higher = {
        row["metric"]: row["higher_is_better"] for row in rows if not row.get("error")
    }
    return {
        "protocol": str(protocol),
        "models": [
            {"name": str(model), "accuracy": finite(accuracy.get(model))}
            for model in dict.fromkeys(model for model, _ in columns)
        ],
        "columns": [
            {"model": str(model), "explainer": str(explainer)}
            for model, explainer in columns
        ],
        "rows": [
            {
                "metric": readable(metric),
                "higher": better,
                "ranked": better is not None and metric not in _COSTS,
                "cells": [_cell(cells.get((metric, *column))) for column in columns],
            }
            for metric, better in higher.items()
        ],
        "failures": [
            f"{row['explainer']}, {readable(row['metric'])}: {row['error']}"
            for row in rows
            if row.get("error")
        ],
    }


def _cell(row):
    if row is None or row.get("error"):
        return None
    return {
        **{name: finite(row[name]) for name in ("mean", "low", "high")},
        **{name: int(row[name]) for name in ("counted", "left_out")},
    }
