"""What the page shows of a comparison as tables."""

import math

from keras_lap.report.finite import finite
from keras_lap.report.readable import readable


def figure_tables(comparison):
    """The figures of a comparison, one table per protocol, as the page reads them.

    Args:
        comparison: Object with `rows`, a list of dicts with `protocol`, `model`,
            `explainer`, `metric`, `mean`, `low`, `high`, `counted`, `left_out`,
            `higher_is_better` and perhaps `is_ranked` and `error`; and perhaps with
            `accuracy`, a dict from models to shares, and `results`, a dict from
            `(protocol, model, explainer, metric)` to `MetricResult`s.

    Returns:
        A list of dicts with `protocol`; `models`, with their accuracy; `columns`, what
        is compared; `rows`, one per metric, with one cell, or None, per column; and
        `failures`, a list of sentences. The `mark` of a cell is `"best"` for the best
        mean that the explainers of its model have in a ranked row, `"alike"` where the
        interval of the difference to it, on the samples that both count, reaches 0, and
        otherwise None.

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
    results = getattr(comparison, "results", None) or {}
    return [
        _table(
            protocol,
            [row for row in rows if row["protocol"] == protocol],
            accuracy,
            results,
        )
        for protocol in dict.fromkeys(row["protocol"] for row in rows)
    ]


def _table(protocol, rows, accuracy, results):
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
                "cells": _marked(
                    [cells.get((metric, *column)) for column in columns],
                    better,
                    results,
                ),
            }
            for metric, better in higher.items()
        ],
        "failures": [
            f"{row['explainer']}, {readable(row['metric'])}: {row['error']}"
            for row in rows
            if row.get("error")
        ],
    }


def _marked(rows, higher, results):
    """The cells of one metric, with their marks."""
    best = {}
    if higher is not None:
        by_model = {}
        for row in rows:
            if row and _has_a_rank(row):
                by_model.setdefault(row["model"], []).append(row)
        best = {
            model: (max if higher else min)(known, key=lambda row: row["mean"])
            for model, known in by_model.items()
            if len(known) > 1
        }
    return [_cell(row, row and best.get(row["model"]), results) for row in rows]


def _has_a_rank(row):
    is_known = not row.get("error") and not math.isnan(row["mean"])
    return is_known and row.get("is_ranked", True)


def _cell(row, best, results):
    if row is None or row.get("error"):
        return None
    return {
        "mark": _mark(row, best, results),
        **{name: finite(row[name]) for name in ("mean", "low", "high")},
        **{name: int(row[name]) for name in ("counted", "left_out")},
    }


def _mark(row, best, results):
    if best is None or math.isnan(row["mean"]):
        return None
    if row["mean"] == best["mean"]:
        return "best"
    keys = ("protocol", "model", "explainer", "metric")
    pair = [results.get(tuple(each[key] for key in keys)) for each in (row, best)]
    if None in pair:
        return None
    low, high = pair[0].minus(pair[1]).interval()
    return "alike" if low <= 0 <= high else None
