"""Keeps samples that are left out of a term from spoiling its gradient."""

from keras import ops


def stop_uncounted_gradients(tensor, counts):
    """The tensor, with no gradient for samples that do not count.

    A loss called on it may give these a gradient of NaN, which stays NaN times their
    count of 0.

    Args:
        tensor: `(N, ...)`.
        counts: How much each sample counts, `(N,)`.
    """
    flags = ops.reshape(counts != 0, (-1,) + (1,) * (len(tensor.shape) - 1))
    return ops.where(flags, tensor, ops.stop_gradient(tensor))
