"""Tables as text."""

import csv


def write_csv(path, header, rows):
    """Writes a file of comma-separated values.

    Args:
        path: File to write.
        header: Names of the columns.
        rows: Iterable of rows, each an iterable of as many cells, or a dict of them by
            the names of the columns, in any order.
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            by_name = isinstance(row, dict)
            writer.writerow([row[name] for name in header] if by_name else row)
