"""Pixels have several channels, and maps one value for each."""

import numpy as np

_WAYS = {
    "absolute_sum": lambda values: np.abs(values).sum(axis=-1),
    "absolute_max": lambda values: np.abs(values).max(axis=-1),
    "sum": lambda values: values.sum(axis=-1),
}
CHANNELS = tuple(_WAYS)


def reduce_channels(values, way):
    """One value per pixel from one per channel.

    Args:
        values: Array `(N, H, W, C)`.
        way: `"absolute_sum"`, the sum of the absolute values, as tf-explain has it;
            `"absolute_max"`, their maximum, as in Simonyan et al., "Deep Inside
            Convolutional Networks", 2013; or `"sum"`, which keeps the sign, so that
            what speaks against the class is negative.

    Returns:
        Array `(N, H, W)`.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.explainers.reduce_channels import reduce_channels
    >>> values = np.array([1.0, -3.0, 0.5]).reshape(1, 1, 1, 3)
    >>> [float(reduce_channels(values, way).item()) for way in (
    ...     "absolute_sum", "absolute_max", "sum")]
    [4.5, 3.0, -1.5]
    """
    return _WAYS[way](np.asarray(values))
