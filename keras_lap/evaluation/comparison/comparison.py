"""Rows and curves, and how they are shown, stored and read."""

import math
import textwrap
from dataclasses import dataclass, field

import numpy as np

from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.utils.from_extra import from_extra
from keras_lap.utils.write_csv import write_csv

SAME_MODEL = "same model"
TWO_MODELS = "LAP model against original model"
# Characters of a line of `repr`.
_LINE = 100
# The metric of the row of an explainer that failed.
FAILED = "maps"
FIELDS = (
    "protocol",
    "model",
    "explainer",
    "metric",
    "mean",
    "low",
    "high",
    "counted",
    "left_out",
    "higher_is_better",
    "is_ranked",
    "error",
)
_NOTES = {
    SAME_MODEL: "All explainers explain the same model on the same images.",
    TWO_MODELS: "Each model is explained on its own answers to the same images. "
    "Curves of probabilities, and the areas under them, also depend on how sure each "
    "model is, so they do not compare the explanations of two models.",
}
_ARROWS = {True: " ↑", False: " ↓", None: ""}


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What `compare` found.

    Two protocols are kept apart. In `"same model"` several explainers explain one
    model. In `"LAP model against original model"`, which is there if an original was
    given, each model is explained on its own answers to the same images.

    Attributes:
        rows: list of dicts, one per protocol, model, explainer and metric, with the
            keys `protocol`, `model` (`"model"` or `"original"`), `explainer`, `metric`,
            `mean`, `low` and `high` (the confidence interval of the mean), `counted`
            and `left_out` (numbers of samples), `higher_is_better` (`True`, `False`,
            or `None` if neither is), `is_ranked` (`False` for costs and `stability`,
            where the best mean says nothing of who explains best), and `error`: `None`,
            or why there is no value.
            `"seconds per image"` has the median of the rounds, with the fastest and the
            slowest as `low` and `high`; `"peak MiB per image"` one measurement. An
            explainer that fails has one row, of the metric `"maps"`.
        curves: list of dicts, the means of those metrics that have a curve, with the
            keys `protocol`, `model`, `explainer`, `metric`, `x`, `y`, `x_name` and
            `y_name`.
        results: dict from `(protocol, model, explainer, metric)` to the `MetricResult`.
        maps: dict from `(model, explainer)` to the maps, float32 `(N, H, W)`.
        accuracy: dict from each model to the share of right answers; empty without
            labels of one class per image.
        targets: dict from each model to the classes its maps are for, int `(N,)`.
        outputs: dict from each model to what it gave for the classes, `(N, classes)`,
            probabilities or logits.

    Example:
    >>> from keras_lap.evaluation import Comparison
    >>> row = {"protocol": "same model", "model": "model", "explainer": "Random"}
    >>> row |= {"metric": "pointing_game", "mean": 0.25, "low": 0.2, "high": 0.3}
    >>> row |= {"counted": 8, "left_out": 0, "higher_is_better": True}
    >>> row |= {"is_ranked": True, "error": None}
    >>> print(Comparison([row]).to_markdown())
    ### same model
    <BLANKLINE>
    All explainers explain the same model on the same images.
    <BLANKLINE>
    | model | explainer | pointing_game ↑ |
    |---|---|---|
    | model | Random | 0.250 [0.200, 0.300] |
    <BLANKLINE>
    n = 8
    """

    rows: list
    curves: list = field(default_factory=list)
    results: dict[tuple, MetricResult] = field(default_factory=dict)
    maps: dict[tuple, np.ndarray] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    targets: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, np.ndarray] = field(default_factory=dict)

    def to_frame(self):
        """The rows as a `pandas.DataFrame`.

        Raises:
            ImportError: If pandas is not installed.
        """
        with from_extra("evaluation", "to_frame needs pandas, as to_csv does not"):
            import pandas
        return pandas.DataFrame(self.rows, columns=FIELDS)

    def to_csv(self, path):
        """Writes the rows as CSV, one line each, with a header.

        Args:
            path: File to write.
        """
        write_csv(path, FIELDS, self.rows)

    def to_markdown(self):
        """A string of one table per protocol: explainers in rows, metrics in columns.

        A cell is the mean with its 95 % confidence interval, or alone where there is
        none: where all values are equal, of which resampling learns nothing, and where
        something is measured once. Arrows show whether higher or lower is better. Below
        are the numbers of samples. If all explainers failed, cells say why, in part;
        `rows` have all of it.
        """
        parts = []
        for protocol, table in self._tables():
            header, *lines = (
                "| " + " | ".join(map(_escaped, row)) + " |" for row in table
            )
            rule = "|" + "---|" * len(table[0])
            parts += [f"### {protocol}", _NOTES[protocol], *self._accuracy_of(protocol)]
            parts += ["\n".join([header, rule, *lines]), *self._counts(protocol)]
        return "\n\n".join(parts)

    def __repr__(self):
        parts = []
        for protocol, table in self._tables(intervals=False):
            titles, *metrics = zip(*_joined_titles(table), strict=True)
            blocks = [[titles]]
            for column in metrics:
                if sum(map(_width, [*blocks[-1], column])) > _LINE:
                    blocks.append([titles])
                blocks[-1].append(column)
            parts += [f"Comparison, {protocol}:", *self._accuracy_of(protocol)]
            parts += ["\n".join(_aligned(block)) for block in blocks]
            parts += self._counts(protocol)
        return "\n\n".join(parts)

    def _accuracy_of(self, protocol):
        """A line about those models that are part of a protocol, if it is known."""
        models = {row["model"] for row in self.rows if row["protocol"] == protocol}
        shares = [
            f"{share:.3f} ({model})"
            for model, share in self.accuracy.items()
            if model in models
        ]
        if shares:
            yield f"Accuracy: {', '.join(shares)}."

    def _counts(self, protocol):
        """How many samples there are, and what counted another number of them."""
        found = {}
        for row in self.rows:
            if row["protocol"] == protocol and row["error"] is None:
                numbers = found.setdefault(row["metric"], ([], []))
                numbers[0].append(row["counted"])
                numbers[1].append(row["left_out"])
        if not found:
            return
        total = max(max(map(sum, zip(*each, strict=True))) for each in found.values())
        others = {}
        for metric, (counted, left_out) in found.items():
            if set(counted) != {total}:
                text = _span(counted)
                text += f", {_span(left_out)} left out" if any(left_out) else ""
                others.setdefault(text, []).append(metric)
        parts = [f"{', '.join(metrics)}: {text}" for text, metrics in others.items()]
        yield "; ".join([f"n = {total}", *parts])

    def _tables(self, intervals=True):
        """Pairs of a protocol and a list of rows of cells, the first the header."""
        for protocol in dict.fromkeys(row["protocol"] for row in self.rows):
            rows = [row for row in self.rows if row["protocol"] == protocol]
            columns = {
                row["metric"]: row["metric"] + _ARROWS[row["higher_is_better"]]
                for row in rows
                if row["metric"] != FAILED
            }
            # If nothing can be shown, it is why.
            columns = columns or {FAILED: FAILED}
            lines = {}
            for row in rows:
                key = row["model"], row["explainer"]
                cells = lines.setdefault(key, dict.fromkeys(columns, ""))
                if FAILED in columns:
                    cells[FAILED] = f"failed: {_first_words(row['error'])}"
                elif row["metric"] == FAILED:
                    lines[key] = dict.fromkeys(columns, "failed")
                else:
                    cells[row["metric"]] = _cell(row, intervals)
            body = [[*key, *cells.values()] for key, cells in lines.items()]
            yield protocol, [["model", "explainer", *columns.values()], *body]


def _escaped(cell):
    """The text of a cell of a Markdown table."""
    return " ".join(cell.replace("|", "\\|").split())


def _first_words(text):
    """What of a text goes into a line, in one line."""
    return textwrap.shorten(text, _LINE, placeholder=" ...")


def _joined_titles(table):
    """Rows of cells of which the first is the model and the explainer."""
    return [[f"{model}  {explainer}", *cells] for model, explainer, *cells in table]


def _width(column):
    return max(map(len, column)) + 2


def _aligned(columns):
    """Lines of a table, the first column to the left and the others to the right."""
    titles, *others = (
        [f"{cell:{side}{_width(column)}}" for cell in column]
        for side, column in zip("<" + ">" * len(columns), columns, strict=False)
    )
    return map("".join, zip(titles, *others, strict=True))


def _cell(row, intervals):
    if row["error"] is not None:
        return "failed"
    if math.isnan(row["mean"]):
        return "-"
    mean, low, high = (_short(row[name]) for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]" if intervals and low != high else mean


def _span(numbers):
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _short(number):
    return f"{number:.3f}" if number == 0 or abs(number) >= 0.01 else f"{number:.2g}"
