"""Computes cells in processes of their own, and goes on where it stopped."""

import concurrent.futures
import multiprocessing
import os

from study_grid.compute import compute, needs
from study_grid.progress import Progress

# One thread each: networks are so small that threads would wait for each other.
_THREADS = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def run(cells, workshop, workers):
    """Computes those of the cells that are not done yet, and those that they need.

    A cell that fails is told of, and those that need it are left out; the others go on.

    Args:
        cells: List of `Cell`s.
        workshop: A `Workshop`, in which the arrays are there.
        workers: Number of processes; 0 computes in this one.

    Returns:
        Dict from cells that failed to reasons.
    """
    waiting = [each for each in _with_needs(cells, workshop)]
    progress = Progress(waiting, max(1, workers))
    failures, running = {}, {}
    with _executor(workers) as executor:
        while waiting or running:
            for cell in list(waiting):
                reason = _obstacle(cell, failures)
                if reason:
                    waiting.remove(cell)
                    failures[cell] = reason
                    progress.failed(cell, reason)
                elif len(running) < max(1, workers) and _is_ready(cell, workshop):
                    waiting.remove(cell)
                    running[executor.submit(compute, cell, workshop)] = cell
            if not running:
                continue
            ended, _ = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in ended:
                cell = running.pop(future)
                if error := future.exception():
                    failures[cell] = f"failed: {type(error).__name__}: {error}"
                    progress.failed(cell, failures[cell])
                else:
                    progress.done(cell, future.result())
    return failures


def _with_needs(cells, workshop):
    """The cells to compute, each behind those that it needs."""
    found = {}

    def add(cell, is_needed):
        is_there = workshop.is_done(cell) and (
            not is_needed or workshop.network_path(cell).exists()
        )
        if cell in found or is_there:
            return
        for each in needs(cell):
            add(each, True)
        found[cell] = None

    for cell in cells:
        add(cell, False)
    return found


def _is_ready(cell, workshop):
    return all(workshop.network_path(each).exists() for each in needs(cell))


def _obstacle(cell, failures):
    lost = [each.name for each in needs(cell) if each in failures]
    return f"left out without {', '.join(lost)}" if lost else None


def _executor(workers):
    if not workers:
        return _Here()
    os.environ.update(_THREADS)
    return concurrent.futures.ProcessPoolExecutor(
        workers,
        multiprocessing.get_context("spawn"),
        # What TensorFlow keeps of networks that are gone would fill the memory.
        max_tasks_per_child=12,
    )


class _Here(concurrent.futures.Executor):
    """Computes at once, in this process."""

    def submit(self, function, *args):
        future = concurrent.futures.Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future
