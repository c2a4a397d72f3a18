"""The rows that the page is made of, and the runs they are from, kept beside it."""

import csv

import numpy as np

from study_grid.cell import FIELDS

FOLDER, RESULTS, RUNS, SETS = "study", "results.csv", "runs.csv", "sets.csv"
RUN_FIELDS = ("cell", "seconds", "date", "processor", "keras", "backend", "recipe")
SET_FIELDS = ("set", "split", "images")


def write_results(workshop, folder):
    """Writes all rows of a `Workshop`, sorted, values with five significant digits.

    Args:
        workshop: A `Workshop`.
        folder: `Path` of the folder of `results.csv`.
    """
    rows = sorted(
        workshop.results(), key=lambda row: [row[field] for field in FIELDS[:-1]]
    )
    rounded = ({**row, "value": f"{float(row['value']):.5g}"} for row in rows)
    write(folder / RESULTS, FIELDS, rounded)


def write_runs(workshop, folder):
    """Writes what a `Workshop` knows of the run of each cell."""
    write(folder / RUNS, RUN_FIELDS, workshop.facts())


def write_sets(workshop, names, folder):
    """Writes how many images the splits of the data sets have.

    Those of sets whose arrays are not in the workshop stay as they were.

    Args:
        workshop: A `Workshop`.
        names: Names of data sets.
        folder: `Path` of the folder of `sets.csv`.
    """
    known = {(row["set"], row["split"]): row["images"] for row in read(folder / SETS)}
    for name in names:
        path = workshop.arrays_path(name)
        if path.exists():
            known |= {(name, split): count for split, count in _counts(path)}
    rows = ((*key, count) for key, count in sorted(known.items()))
    write(
        folder / SETS,
        SET_FIELDS,
        (dict(zip(SET_FIELDS, row, strict=True)) for row in rows),
    )


def _counts(path):
    with np.load(path) as arrays:
        for name in arrays.files:
            split, kind = name.split("/")
            if kind == "label":
                yield split, len(arrays[name])


def write(path, fields, rows):
    """Writes dicts as a file of comma-separated values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(path):
    """Reads dicts of text, none if the file is not there."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
