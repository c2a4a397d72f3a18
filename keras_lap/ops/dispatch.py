"""Which implementation of the pooling runs, and why.

One function per backend says what stands in the way of the fused kernels; the same
sentence decides, warns and explains.
"""

import dataclasses
import functools
import importlib

import keras
from keras import backend

from keras_lap.ops.arguments import IMPLEMENTATIONS
from keras_lap.ops.reference import la_pool_reference
from keras_lap.utils.names import check_choice
from keras_lap.utils.warn import warn


@dataclasses.dataclass(frozen=True)
class Choice:
    """An implementation of `la_pool`, and the reason for it.

    Attributes:
        implementation: `"fused"` or `"reference"`.
        reason: Why, in a sentence.
    """

    implementation: str
    reason: str

    def __str__(self):
        return f"{self.implementation}: {self.reason}"


# Modules that hold the fused kernels of a Keras backend. Each has a `DESCRIPTION`, and
# functions `obstacle(dtype, x)`, `supports_jit()` and `la_pool`.
FUSED = {
    "tensorflow": "keras_lap.ops.fused_tensorflow",
    "torch": "keras_lap.ops.fused_torch",
}

DTYPES = ("float16", "bfloat16", "float32", "float64")

THREE_AXES = "The fused kernels pool along one or two spatial axes, not three."


def which(rank=2, dtype="float32", implementation="auto"):
    """Tells which implementation `la_pool` takes here, and why.

    Args:
        rank: Number of spatial axes, 1 to 3.
        dtype: Dtype of the features.
        implementation: As for `la_pool`.

    Returns:
        A `Choice` with `implementation`, `"fused"` or `"reference"`, and `reason`.

    Raises:
        ValueError: If an argument is unknown.
        RuntimeError: If `implementation="fused"` cannot run here.

    Example:

    >>> from keras_lap.ops import which
    >>> which(implementation="reference").implementation
    'reference'
    """
    check_choice("rank", rank, (1, 2, 3))
    check_choice("implementation", implementation, IMPLEMENTATIONS)
    return _choose(implementation, rank, backend.standardize_dtype(dtype), None)


def supports_jit(rank):
    """Whether XLA can compile what `la_pool` runs here for `rank` spatial axes."""
    choice = which(rank)
    return choice.implementation == "reference" or _fused_module().supports_jit()


def implementation_for(x, implementation):
    """The function that pools a channels-last tensor `x`.

    Args:
        x: Features.
        implementation: As for `la_pool`.

    Returns:
        A function with the signature of `la_pool_reference`.

    Raises:
        RuntimeError: If `implementation="fused"` cannot run here.
    """
    dtype = backend.standardize_dtype(x.dtype)
    choice = _choose(implementation, len(x.shape) - 2, dtype, x)
    if choice.implementation == "fused":
        return _fused_module().la_pool
    if implementation == "auto" and choice.reason != THREE_AXES:
        _say_once(choice.reason)
    return la_pool_reference


def _choose(implementation, rank, dtype, x):
    if implementation == "reference":
        return Choice("reference", "it was asked for.")
    obstacle = _obstacle(rank, dtype, x)
    if obstacle is None:
        return Choice("fused", _fused_module().DESCRIPTION)
    if implementation == "fused":
        raise RuntimeError(
            f'Expected the fused pooling to run, as implementation="fused" asks. '
            f'Received: {obstacle} implementation="auto" takes keras.ops instead.'
        )
    return Choice("reference", obstacle)


def _obstacle(rank, dtype, x):
    if rank == 3:
        return THREE_AXES
    if _fused_module() is None:
        return f"There are no fused kernels for Keras on {keras.config.backend()}."
    if dtype not in DTYPES:
        return f"There are no fused kernels for features of {dtype}."
    return _fused_module().obstacle(dtype, x)


# AutoGraph leaves cached functions alone; of the import it would complain.
@functools.cache
def _fused_module():
    name = FUSED.get(keras.config.backend())
    return None if name is None else importlib.import_module(name)


@functools.cache
def _say_once(reason):
    warn(f"la_pool runs in plain keras.ops: {reason}")
