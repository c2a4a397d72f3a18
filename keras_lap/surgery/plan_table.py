"""A conversion plan as a table, for terminals and notebooks."""

import html

_TITLES = (
    "layer",
    "kind",
    "stage",
    "field",
    "window",
    "concepts",
    "+parameters",
    "+multiply-adds",
    "action",
)
_NUMBERS = range(2, 8)


def text_table(plan):
    """The plan as text, in columns.

    Args:
        plan: A `ConversionPlan`.
    """
    lines = [_TITLES, *map(_cells, plan.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        [_title(plan), *(_line(cells, widths) for cells in lines), _sum(plan)]
    )


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

    body = "".join(f"<tr>{row('td', _cells(each))}</tr>" for each in plan.rows)
    return (
        f"<table><caption>{html.escape(_title(plan))}</caption>"
        f"<thead><tr>{row('th', _TITLES)}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{html.escape(_sum(plan))}</p>"
    )


def _title(plan):
    return f'Conversion of {plan.model.name!r}, where="{plan.where}"'


def _sum(plan):
    estimate = plan.estimate()
    added = estimate.after - estimate.before
    count = len({row.lap for row in plan.rows if row.lap})
    return (
        f"{count} LAP layers; for one image {_short(added.parameters)} parameters "
        f"({_share(added.parameters, estimate.before.parameters)}) and "
        f"{_short(added.multiply_adds)} multiply-adds "
        f"({_share(added.multiply_adds, estimate.before.multiply_adds)})"
    )


def _cells(row):
    if row.lap is None:
        return (row.layer, row.kind, *[""] * 6, f"stays: {row.reason}")
    is_new = row.lap.rpartition("/")[2] != row.layer.rpartition("/")[2]
    return (
        row.layer,
        row.kind,
        str(row.stage),
        "x".join(f"{size:.0f}" for size in row.receptive_field),
        _windows(row),
        str(row.concepts),
        _short(row.cost.parameters),
        _short(row.cost.multiply_adds),
        f"{row.action}: {row.lap}" if is_new else row.action,
    )


def _windows(row):
    if row.window is None:
        return "whole map"
    window, stride = ("x".join(map(str, pair)) for pair in (row.window, row.stride))
    return window if row.window == row.stride else f"{window} by {stride}"


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
