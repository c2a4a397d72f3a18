"""Computes cells in processes of their own, and goes on where it stopped."""

import concurrent.futures
import multiprocessing
import os
from concurrent.futures.process import BrokenProcessPool

from study_grid.cell import COST
from study_grid.compute import compute, needs
from study_grid.progress import Progress

# One thread each: networks are so small that threads would wait for each other.
_ENVIRONMENT = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Else the first process takes nearly all of a GPU's memory.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}


def run(cells, workshop, workers):
    """Computes those of the cells that are not done yet, and those that they need.

    A cell that fails is told of, and those that need it are left out; the others go on.
    Cells that measure time come last, one at a time.

    Args:
        cells: List of `Cell`s.
        workshop: A `Workshop`, in which the arrays are there.
        workers: Number of processes; 0 computes in this one.

    Returns:
        Dict from cells that failed to reasons.
    """
    waiting = _with_needs(cells, workshop)
    failures = {}
    progress = Progress(waiting, max(1, workers))
    for is_timed, count in ((False, workers), (True, min(workers, 1))):
        chosen = [cell for cell in waiting if (cell.kind == COST) == is_timed]
        _run(chosen, workshop, count, progress, failures)
    return failures


def _run(waiting, workshop, workers, progress, failures):
    """Computes cells, so many at a time, and adds those that failed to `failures`."""
    running = {}
    executor = _executor(workers)

    def fail(cell, reason):
        failures[cell] = reason
        progress.failed(cell, reason)

    while waiting or running:
        for cell in list(waiting):
            if lost := [each.name for each in needs(cell) if each in failures]:
                waiting.remove(cell)
                fail(cell, f"left out without {', '.join(lost)}")
            elif len(running) < max(1, workers) and _is_ready(cell, workshop):
                waiting.remove(cell)
                running[executor.submit(compute, cell, workshop)] = cell
        if not running:
            for cell in waiting:
                fail(cell, "left out: the networks that it needs are gone")
            break
        ended, _ = concurrent.futures.wait(
            running, return_when=concurrent.futures.FIRST_COMPLETED
        )
        for future in ended:
            cell, error = running.pop(future), future.exception()
            if error is None:
                progress.done(cell, future.result())
            elif isinstance(error, BrokenProcessPool):
                fail(cell, "failed: its process was killed, for want of memory?")
            else:
                fail(cell, f"failed: {type(error).__name__}: {error}")
        if any(isinstance(future.exception(), BrokenProcessPool) for future in ended):
            # All that ran in it is lost.
            for cell in running.values():
                fail(cell, "failed: a process beside it was killed")
            running = {}
            executor = _executor(workers)
    executor.shutdown()


def _with_needs(cells, workshop):
    """The list of cells to compute, each behind those that it needs."""
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
    return list(found)


def _is_ready(cell, workshop):
    return all(
        workshop.is_done(each) and workshop.network_path(each).exists()
        for each in needs(cell)
    )


def _executor(workers):
    if not workers:
        return _Here()
    os.environ.update(_ENVIRONMENT)
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
