"""A conversion plan as a table, for terminals and notebooks."""

import html
import textwrap

from keras_lap.graph.lap_layers import lap_layers

_TITLES = (
    "layer",
    "kind",
    "stage",
    "field",
    "window",
    "concepts",
    "+params",
    "+MACs",
    "LAP",
)
_NUMBERS = range(2, 8)
_NOTE_WIDTH = 100


def text_table(plan):
    """The plan as text: a line per layer that gets LAP, then the others by reason.

    Args:
        plan: A `ConversionPlan`.
    """
    lines = [_TITLES, *(_cells(row) for row in plan.rows if row.lap)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [_line(cells, widths) for cells in lines]
    notes = [*_listed(_scores(plan)), *_listed(_stays(plan)), _sum(plan)]
    return "\n".join([_title(plan), *table, *notes])


def html_table(plan):
    """The plan as an HTML table.

    Args:
        plan: A `ConversionPlan`.
    """

    def row(tag, cells):
        return "".join(
            f'<{tag} style="text-align:{_side(index)}">{html.escape(cell)}</{tag}>'
            for index, cell in enumerate(cells)
        )

    scores = _scores(plan).items()
    notes = [f"{text}: {', '.join(names)}" if names else text for text, names in scores]
    body = "".join(f"<tr>{row('td', _cells(each))}</tr>" for each in plan.rows)
    return (
        f"<table><caption>{html.escape(_title(plan))}</caption>"
        f"<thead><tr>{row('th', _TITLES)}</tr></thead><tbody>{body}</tbody></table>"
        + "".join(f"<p>{html.escape(line)}</p>" for line in (*notes, _sum(plan)))
    )


def _title(plan):
    return f'Conversion of {plan.model.name!r}, where="{plan.where}"'


def _scores(plan):
    """What trains the scores, each with the layers, or none where it is all of them."""
    layers = {}
    for row in plan.rows:
        if row.score_gain is not None:
            who = "knowledge alone trains" if row.detach_scores else "the task trains"
            text = f"scores: {who} them, with score_gain={row.score_gain:g}"
            layers.setdefault(text, []).append(row.layer)
    return layers if len(layers) > 1 else dict.fromkeys(layers, ())


def _stays(plan):
    """Why layers stay, each with the layers."""
    layers = {}
    for row in plan.rows:
        if row.lap is None:
            layers.setdefault(f"stays: {row.reason}", []).append(row.layer)
    return layers


def _listed(layers):
    return [
        line
        for text, names in layers.items()
        for line in (*_wrapped(text, ""), *_wrapped(", ".join(names), "  "))
    ]


def _wrapped(text, indent):
    return textwrap.wrap(
        text,
        _NOTE_WIDTH,
        initial_indent=indent,
        subsequent_indent=indent or "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _sum(plan):
    estimate = plan.estimate()
    added = estimate.after - estimate.before
    count = len({row.lap for row in plan.rows if row.lap})
    present = [layer.name for layer in lap_layers(plan.model)]
    already = f"It has LAP layers already: {', '.join(present)}. " if present else ""
    return (
        f"{already}"
        f"{count} LAP layers; for one image {_short(added.parameters)} parameters "
        f"({_share(added.parameters, estimate.before.parameters)}) and "
        f"{_short(added.multiply_adds)} multiply-adds "
        f"({_share(added.multiply_adds, estimate.before.multiply_adds)})"
    )


def _cells(row):
    if row.lap is None:
        return (row.layer, row.kind, *[""] * 6, f"stays: {row.reason}")
    action = row.action.replace("LAP ", "")
    is_new = row.lap.rpartition("/")[2] != row.layer.rpartition("/")[2]
    return (
        row.layer,
        row.kind,
        str(row.stage),
        "x".join(f"{size:.0f}" for size in row.receptive_field or ()),
        _windows(row),
        str(row.concepts),
        _short(row.cost.parameters),
        _multiply_adds(row),
        f"{action}: {row.lap}" if is_new else action,
    )


def _multiply_adds(row):
    """Empty where the map's size is unknown, so that nothing could be counted."""
    unknown = row.receptive_field is None and not row.cost.multiply_adds
    return "" if unknown else _short(row.cost.multiply_adds)


def _windows(row):
    if row.window is None:
        return "whole map"
    window, stride = ("x".join(map(str, pair)) for pair in (row.window, row.stride))
    return window if row.window == row.stride else f"{window}/{stride}"


def _line(cells, widths):
    padded = [
        cell.rjust(width) if _side(index) == "right" else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def _side(index):
    return "right" if index in _NUMBERS else "left"


def _short(number):
    """A count with three digits and a unit, with its sign."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= size:
            return f"{number / size:+.3g}{unit}"
    return f"{number:+d}"


def _share(added, before):
    return f"{added / before:+.2%}" if before else "of none"
