"""Computes one cell, in a process of any kind."""

import datetime
import importlib
import platform
import time
from pathlib import Path

import keras

from study_grid import cost_cell, explain_cell, train_cell
from study_grid.cell import COST, EXPLAIN, TRAIN

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
        "processor": _processor(),
        "keras": keras.__version__,
        "backend": f"{backend} {importlib.import_module(backend).__version__}",
    }
    workshop.save_results(cell, rows, facts)
    keras.backend.clear_session()
    return seconds


def _processor():
    """Name of the processor, as far as it is known."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()
