"""Tells how far a study is, and how long it will still take."""

import time


class Progress:
    """A line per cell, with an estimate of the time that is left.

    Args:
        cells: The cells that are to be computed.
        workers: How many are computed at a time.
    """

    def __init__(self, cells, workers):
        self._left = list(cells)
        self._total = len(cells)
        self._workers = workers
        self._seconds = {}
        self._start = time.monotonic()

    def done(self, cell, seconds):
        """Writes that a cell is done."""
        self._left.remove(cell)
        self._seconds.setdefault(self._sort(cell), []).append(seconds)
        self._write(f"{cell.name}: {seconds:.0f} s")

    def failed(self, cell, reason):
        """Writes that a cell failed, or was left out."""
        self._left.remove(cell)
        self._write(f"{cell.name}: {reason}")

    def _write(self, text):
        count = self._total - len(self._left)
        passed = time.monotonic() - self._start
        print(
            f"[{count}/{self._total}, {_clock(passed)}, {self._remaining()} left]",
            text,
            flush=True,
        )

    def _remaining(self):
        """Means of the same sort of cells, or of all if there were none yet."""
        known = [each for times in self._seconds.values() for each in times]
        if not known:
            return "?"
        overall = sum(known) / len(known)
        estimate = 0.0
        for cell in self._left:
            times = self._seconds.get(self._sort(cell))
            estimate += sum(times) / len(times) if times else overall
        return _clock(estimate / self._workers)

    def _sort(self, cell):
        return cell.kind, cell.family


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
