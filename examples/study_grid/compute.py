"""Computes one cell, in a process of any kind."""

import datetime
import importlib
import time

import keras

from study_grid import cost_cell, explain_cell, train_cell
from study_grid.cell import COST, EXPLAIN, TRAIN
from study_grid.processor import processor

MODULES = {TRAIN: train_cell, EXPLAIN: explain_cell, COST: cost_cell}


def needs(cell):
    """The cells that have to be done before a cell."""
    return MODULES[cell.kind].needs(cell)


def compute(cell, workshop):
    """Computes a cell and writes its results.

    Returns:
        The seconds that it took.
    """
    start = time.perf_counter()
    rows = list(MODULES[cell.kind].compute(cell, workshop))
    seconds = time.perf_counter() - start
    backend = keras.config.backend()
    facts = {
        "seconds": round(seconds, 1),
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "keras": keras.__version__,
        "backend": f"{backend} {importlib.import_module(backend).__version__}",
    }
    workshop.save_results(cell, rows, facts)
    keras.backend.clear_session()
    return seconds
