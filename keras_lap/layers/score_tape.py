"""Collects what the LAP layers of a model saw during one forward pass."""

import contextlib
import threading
from dataclasses import dataclass
from typing import Any

_local = threading.local()


@dataclass(frozen=True, eq=False)
class ScoreRecord:
    """What one LAP layer computed on the way to its output.

    Attributes:
        layer: The LAP layer.
        logits: Concept logits `Z`, float `(N, H, W, K)`, or `None` for a layer with
            `scores="features"`.
        attention: Attention scores `A`, `(N, H, W, G)`.
    """

    layer: Any
    logits: Any
    attention: Any

    @property
    def scores(self):
        """Concept scores `S` in `[0, 1]`, of the shape of `logits`, or `None`."""
        return None if self.logits is None else self.layer.head.scores(self.logits)


@contextlib.contextmanager
def score_tape():
    """Yields a list to which every LAP layer called in this thread adds its record.

    Tapes are local to a thread, so replicas that trace in threads of their own do
    not see each other's scores. Inside a traced function the records hold symbolic
    tensors, which are only valid within that function.

    Yields:
        List of `ScoreRecord`, in the order of the calls.

    Example:

    >>> import keras, numpy as np, keras_lap
    >>> from keras_lap.layers import score_tape
    >>> layer = keras_lap.LAPooling2D(2, concepts=3)
    >>> with score_tape() as records:
    ...     y = layer(np.ones((1, 4, 4, 8), "float32"))
    >>> tuple(records[0].logits.shape)
    (1, 4, 4, 3)
    """
    outer = getattr(_local, "records", None)
    _local.records = records = []
    try:
        yield records
    finally:
        _local.records = outer


def record_scores(record):
    """Adds a record to the innermost open tape of this thread, if there is one."""
    records = getattr(_local, "records", None)
    if records is not None:
        records.append(record)
