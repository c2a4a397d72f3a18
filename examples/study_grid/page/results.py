"""Rows of results as numbers that can be looked up."""

import math

from study_grid.cell import Cell


class Results:
    """A table of numbers.

    Args:
        rows: Iterable of dicts with the keys `study_grid.cell.FIELDS`. Values that are
            not a number, of a metric that no image could be measured by, are left out.

    Example:

    >>> cell = Cell("train", "clutter", "ResNet50V2", 0, "LAP")
    >>> results = Results([cell.row(metric="quality on test", value="0.9")])
    >>> results.where(arm="LAP").by("family", "seed")
    {('ResNet50V2', 0): 0.9}
    """

    def __init__(self, rows):
        read = ({**row, "seed": int(row["seed"])} for row in rows)
        self._rows = [
            {**row, "value": float(row["value"])}
            for row in read
            if not math.isnan(float(row["value"]))
        ]

    def where(self, **fields):
        """The `Results` of the rows in which all given fields are as given."""
        return self._kept(
            lambda row: all(row[name] == value for name, value in fields.items())
        )

    def of_seeds(self, seeds):
        """The `Results` of the rows of some seeds."""
        return self._kept(lambda row: row["seed"] in seeds)

    def _kept(self, is_kept):
        kept = Results(())
        kept._rows = [row for row in self._rows if is_kept(row)]
        return kept

    def by(self, *fields):
        """Dict from tuples of the given fields to values."""
        return {tuple(row[field] for field in fields): row["value"] for row in self}

    def distinct(self, field):
        """The values of a field, each once, sorted."""
        return sorted({row[field] for row in self})

    def cells(self):
        """The set of the `Cell`s that the rows are from."""
        return {Cell.of_row(row) for row in self}

    def __iter__(self):
        return iter(self._rows)

    def __len__(self):
        return len(self._rows)
