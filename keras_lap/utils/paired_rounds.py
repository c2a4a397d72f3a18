"""Timing that compares what was called in turn, round by round.

Machines are noisy: what another job takes away it takes from all that is called in the
same round, so the ratios of a round say more than seconds do. What is called also
depends on what was called before it, so the order changes from round to round.
"""

import time

import numpy as np

# Columns of what `ratio_quartiles` returns.
QUARTILES = ("ratio_lower", "ratio_median", "ratio_upper")


def time_in_rounds(runs, rounds, every=None, on_round=None):
    """Calls functions in turn, in an order drawn for each round, and times each call.

    Args:
        runs: Dict from names to functions without arguments.
        rounds: Number of rounds.
        every: Dict from names to in how many rounds one is called, 1 by default.
        on_round: Function that is called after each round, as for a progress bar.

    Returns:
        Dict from names to dicts from the number of a round to seconds.
    """
    generator = np.random.default_rng(0)
    names = list(runs)
    seconds = {name: {} for name in names}
    for index in range(rounds):
        for name in map(names.__getitem__, generator.permutation(len(names))):
            if index % (every or {}).get(name, 1) == 0:
                start = time.perf_counter()
                runs[name]()
                seconds[name][index] = time.perf_counter() - start
        if on_round is not None:
            on_round()
    return seconds


def ratio_quartiles(seconds, baseline):
    """Quartiles of the time ratios of the rounds that both were timed in.

    Args:
        seconds: Dict from the number of a round to seconds.
        baseline: Dict of the same kind.

    Returns:
        Array of the lower quartile, the median and the upper quartile.
    """
    ratios = [seconds[index] / baseline[index] for index in seconds.keys() & baseline]
    return np.quantile(ratios, (0.25, 0.5, 0.75))
