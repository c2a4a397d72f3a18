"""Values of any origin as arrays of NumPy."""

import numpy as np
from keras import ops


def to_numpy(values, dtype=None):
    """Values as an array of NumPy, or `None` if they are `None`.

    Args:
        values: Tensor, array, or what an array can be made of.
        dtype: Dtype of the result, by default that of the values.
    """
    if values is None:
        return None
    if ops.is_tensor(values):
        values = values if dtype is None else ops.cast(values, dtype)
        return ops.convert_to_numpy(values)
    return np.asarray(values, dtype)
