"""What explainers cost."""

import contextlib
import tracemalloc
from dataclasses import dataclass

import keras
import numpy as np

from keras_lap.utils.paired_rounds import time_in_rounds
from keras_lap.utils.warn import warn


@dataclass(frozen=True)
class MeasuredCost:
    """What one call of a function cost.

    Attributes:
        seconds: Float array, the times of the rounds.
        peak_mib: Peak of the memory that the call took, in MiB, NaN on JAX and
            torch, and where TensorFlow does not count it.
    """

    seconds: np.ndarray
    peak_mib: float


def costs(calls, rounds):
    """Measures functions beside each other.

    Every function is called once to warm up, and left out if it fails. Then each is
    timed once per round, in an order drawn anew, so that what slows the machine down
    for a while meets all of them. At the end each is called once more for its memory:
    the peak of the tensors on CPU and GPU, as TensorFlow's allocators count it, and
    that of Python and NumPy, each above what there was before. They may peak at
    different moments, so the sum is a bound from above. The resident memory of the
    process would say less, for TensorFlow keeps what it has freed.

    Args:
        calls: Dict from names to functions without arguments.
        rounds: Number of rounds, at least 1.

    Returns:
        Dict from the names to a `MeasuredCost`, or to the exception of one that failed.

    Example:
    >>> from keras_lap.evaluation.comparison.costs import costs
    >>> cost = costs({"nothing": lambda: None}, rounds=3)["nothing"]
    >>> len(cost.seconds)
    3
    """
    errors = {}
    for name, call in calls.items():
        try:
            call()
        except Exception as error:
            errors[name] = error
    calls = {name: call for name, call in calls.items() if name not in errors}
    seconds = time_in_rounds(calls, rounds)
    return errors | {
        name: MeasuredCost(np.array([*seconds[name].values()]), _peak(call))
        for name, call in calls.items()
    }


def _peak(call):
    """Peak of what a call allocates, in MiB, or NaN."""
    if keras.backend.backend() != "tensorflow":
        return float("nan")
    import tensorflow as tf

    memory = tf.config.experimental
    devices = [
        device.name.removeprefix("/device:")
        for device in tf.config.list_logical_devices()
        if device.device_type in ("CPU", "GPU")
    ]
    try:
        for device in devices:
            memory.reset_memory_stats(device)
        before = [memory.get_memory_info(device)["current"] for device in devices]
        with _traced() as arrays:
            call()
        peaks = [memory.get_memory_info(device)["peak"] for device in devices]
    except ValueError as error:
        warn(
            f"TensorFlow does not count the memory: {error}. On x86 CPUs it does once "
            "the environment variable TF_ENABLE_ONEDNN_OPTS is 1 when it is imported."
        )
        return float("nan")
    return (sum(peaks) - sum(before) + arrays[0]) / 2**20


@contextlib.contextmanager
def _traced():
    """A list that gets the peak of what Python and NumPy allocate, in bytes."""
    peak = []
    was_tracing = tracemalloc.is_tracing()
    if not was_tracing:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    try:
        yield peak
    finally:
        peak.append(tracemalloc.get_traced_memory()[1] - before)
        if not was_tracing:
            tracemalloc.stop()
