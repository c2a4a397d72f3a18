"""Arrays that come in batches, put together."""

import math

import numpy as np

from keras_lap.utils.available_memory import available_memory


class Collected:
    """Puts batches of one kind of array together.

    Where the number of samples is known, its array is allocated once. Where it is not,
    the batches are kept and joined at the end, which takes twice the memory.

    Args:
        name: What the arrays are, for messages.
        advice: What to do if memory does not suffice.
        count: Number of samples, or `None`.
        batches: Number of batches, or `None`. Where the number of samples is not known,
            it is taken to be that of the first batch in all but the last.
    """

    def __init__(self, name, advice, count=None, batches=None):
        self._name = name
        self._count = count
        self._batches = batches
        self._advice = advice
        self._array = None
        self._parts = []
        self._filled = 0

    def check(self, shape, dtype, beside=0):
        """Checks the memory before the first batch is computed.

        Args:
            shape: Shape of that batch, `(n, ...)`.
            dtype: Its dtype.
            beside: Bytes of each sample of another array that is collected too.

        Raises:
            MemoryError: If all of them, and that batch beside them, would not fit into
                the memory that is left.
        """
        self._shape = shape[1:]
        bytes_each = np.dtype(dtype).itemsize * math.prod(self._shape)
        to_come = self._size_to_come(shape[0], bytes_each, beside)
        self._check_memory(shape[0] * bytes_each + to_come)

    def add(self, batch):
        """Adds the next batch, an array `(n, ...)`.

        Raises:
            MemoryError: If all of them would not fit into the memory that is left.
            ValueError: If the shape is not that of the others.
        """
        if self._filled and batch.shape[1:] != self._shape:
            raise ValueError(
                f"Expected {self._name} of one shape, {self._shape} as those before. "
                f"Received: {batch.shape[1:]}. Resize them, or take those of each size "
                "by themselves."
            )
        self._shape = batch.shape[1:]
        bytes_each = batch[:1].nbytes
        if not self._filled:
            self._check_memory(self._size_to_come(len(batch), bytes_each))
        if self._count is None:
            if self._filled:
                # As much again is needed to join them.
                self._check_memory((self._filled + len(batch)) * bytes_each)
            self._parts.append(batch)
        else:
            if self._array is None:
                self._array = np.empty((self._count, *self._shape), batch.dtype)
            self._array[self._filled : self._filled + len(batch)] = batch
        self._filled += len(batch)

    def array(self):
        """All of them, `(N, ...)`, or `None` if there was none."""
        if self._parts:
            self._array, self._parts = np.concatenate(self._parts), []
        return self._array

    def _size_to_come(self, first, bytes_each, beside=0):
        """How many bytes are needed once the first batch is there."""
        if self._count is not None:
            return self._count * (bytes_each + beside)
        # As much again is needed to join them, first those of one array.
        joined = bytes_each + beside + max(bytes_each, beside)
        others = (self._batches or 1) - 1
        return max(bytes_each + beside, others * joined) * first

    def _check_memory(self, size):
        left = available_memory()
        if left is not None and size > left:
            raise MemoryError(
                f"Expected {self._name} to fit into memory. Received: {self._name} of "
                f"shape {self._shape} per image, {size / 2**30:.3g} GiB in all, where "
                f"{left / 2**30:.3g} GiB are left. {self._advice}"
            )
