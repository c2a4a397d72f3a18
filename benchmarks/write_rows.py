"""Tables of slow studies, which are kept row by row."""

import csv
import pathlib


def write_rows(path, header, rows):
    """Writes a CSV file, and prints and keeps every row as soon as it is there.

    Args:
        path: The file; its folder is made if it is missing.
        header: List of the names of the columns.
        rows: Iterable of lists, which may take long over each.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            file.flush()
            print(*row, flush=True)
