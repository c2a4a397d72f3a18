"""Writes the data sets of a study as arrays, once."""

from study_grid.arrays import export
from study_grid.sets import SETS


def export_sets(workshop, names, data_dir):
    """Writes the arrays of those data sets that are not there yet.

    Args:
        workshop: A `Workshop`.
        names: Names of data sets.
        data_dir: Folder of TFDS, by default its own.
    """
    for name in names:
        path = workshop.arrays_path(name)
        if not path.exists():
            print(f"Writing {path}", flush=True)
            export(SETS[name].datasets(data_dir, workshop.sizes.train), path)
