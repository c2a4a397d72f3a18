"""Tables in Markdown."""

NOTHING = "-"


def table(header, rows):
    """Writes a table.

    Args:
        header: List of titles of columns.
        rows: Lists of cells: text, or `None` for what was not measured.

    Returns:
        The table as text.

    Example:

    >>> print(table(["set", "LAP"], [["clutter", None]]))
    | set | LAP |
    |---|---|
    | clutter | - |
    """
    lines = [header, *rows]
    cells = [[NOTHING if cell is None else str(cell) for cell in row] for row in lines]
    written = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([written[0], "|---" * len(header) + "|", *written[1:]])


def text(estimate, digits=3, signed=False, bold=False):
    """The cell of an `Estimate`, `None` if nothing was measured."""
    if estimate is None:
        return None
    written = estimate.text(digits, signed)
    return f"**{written}**" if bold else written


def with_change(value, change):
    """The cell of an `Estimate`, and in brackets its difference to another.

    The difference is bold where its interval excludes 0.
    """
    if value is None or change is None:
        return text(value)
    written = text(change, signed=True, bold=bool(change.sign))
    return f"{value.mean:.3f} ({written})"
