"""Where cells find their data and networks, and leave their results."""

import csv
import functools
import json
from pathlib import Path

import keras
from common.save_without_optimizer import save_without_optimizer

from keras_lap.utils.whole_file import whole_file
from keras_lap.utils.write_csv import write_csv
from study_grid import arrays
from study_grid.cell import FIELDS, Cell
from study_grid.recipe import recipe
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
        with whole_file(path) as part:
            save_without_optimizer(network, part)

    def results_path(self, cell):
        """File of the results of a cell."""
        return self.folder / "cells" / f"{cell.name}.csv"

    def is_done(self, cell):
        """Whether a cell has results, of the `recipe` that it has now."""
        path = self.results_path(cell)
        facts = path.with_suffix(".json")
        if not (path.exists() and facts.exists()):
            return False
        return self.is_current(cell, json.loads(facts.read_text()))

    def is_current(self, cell, facts):
        """Whether facts of a run are of the `recipe` that the cell has now."""
        known = facts.get("recipe")
        return known is not None and known == recipe(cell, self.sizes)

    def save_results(self, cell, rows, facts):
        """Writes rows of results, and facts of the run and its recipe beside them."""
        path = self.results_path(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            write_csv(part, FIELDS, rows)
        # Last, since this tells that the cell is done.
        with whole_file(path.with_suffix(".json")) as part:
            part.write_text(json.dumps({**facts, "recipe": recipe(cell, self.sizes)}))

    def results(self):
        """All rows of all cells that are done, with numbers as text."""
        for rows in self._done():
            yield from rows

    def facts(self):
        """What is known of the runs of the cells that are done, one dict for each."""
        for rows in self._done():
            cell = Cell.of_row(rows[0])
            path = self.results_path(cell).with_suffix(".json")
            yield {"cell": cell.name, **json.loads(path.read_text())}

    def _done(self):
        """The rows of one cell after the other."""
        for path in sorted(self.folder.glob("cells/*.csv")):
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            if rows and self.is_done(Cell.of_row(rows[0])):
                yield rows


_load = functools.lru_cache(maxsize=2)(arrays.load)
