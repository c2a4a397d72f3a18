"""Tables as text."""

import csv


def write_csv(path, header, rows):
    """Writes a file of comma-separated values.

    Args:
        path: File to write.
        header: Names of the columns.
        rows: Iterable of rows, each an iterable of as many cells.
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
