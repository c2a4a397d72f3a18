"""What losses are called on, safe from samples that are left out of a term."""

from keras import ops


def only_counted(tensor, counts):
    """The tensor, with no gradient for samples that do not count.

    A loss may give these a gradient of NaN, which stays what it is times their 0.

    Args:
        tensor: `(N, ...)`.
        counts: How much each sample counts, `(N,)`.
    """
    flags = ops.reshape(counts != 0, (-1,) + (1,) * (len(tensor.shape) - 1))
    return ops.where(flags, tensor, ops.stop_gradient(tensor))
