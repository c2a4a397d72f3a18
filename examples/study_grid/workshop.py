"""Where cells find their data and networks, and leave their results."""

import csv
import functools
import json
from pathlib import Path

import keras

from study_grid import arrays
from study_grid.cell import FIELDS
from study_grid.sets import SETS


class Workshop:
    """The folder of a study.

    Args:
        folder: Path of the folder: arrays, networks and results are in it.
        sizes: The `Sizes` of the study.
    """

    def __init__(self, folder, sizes):
        self.folder = Path(folder)
        self.sizes = sizes

    def arrays_path(self, study_set):
        """File of the arrays of a data set."""
        return self.folder / "arrays" / f"{study_set}.npz"

    def data(self, cell):
        """Splits of the arrays of a cell's data set."""
        return _load(self.arrays_path(cell.set))

    def study_set(self, cell):
        """The `StudySet` of a cell."""
        return SETS[cell.set]

    def network_path(self, cell):
        """File of the network that a cell has trained."""
        return self.folder / "networks" / f"{cell.name}.keras"

    def network(self, cell):
        """The network that a cell has trained."""
        return keras.saving.load_model(self.network_path(cell), compile=False)

    def save_network(self, cell, network):
        """Keeps a network for the cells that need it."""
        path = self.network_path(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".part{path.suffix}")
        # Without the state of the optimizer.
        keras.Model(network.input, network.output, name=network.name).save(part)
        part.replace(path)

    def results_path(self, cell):
        """File of the results of a cell."""
        return self.folder / "cells" / f"{cell.name}.csv"

    def is_done(self, cell):
        """Whether a cell has its results, and what other cells need of it."""
        return self.results_path(cell).exists()

    def save_results(self, cell, rows, facts):
        """Writes rows of results, and facts of the run beside them."""
        path = self.results_path(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".json").write_text(json.dumps(facts) + "\n")
        part = path.with_suffix(".part")
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
        part.replace(path)

    def results(self):
        """All rows of all cells that are done, with numbers as text."""
        for path in sorted(self.folder.glob("cells/*.csv")):
            with path.open(newline="") as file:
                yield from csv.DictReader(file)

    def facts(self):
        """What is known of the runs of the cells, one dict for each."""
        for path in sorted(self.folder.glob("cells/*.json")):
            yield {"cell": path.stem, **json.loads(path.read_text())}


_load = functools.lru_cache(maxsize=2)(arrays.load)
