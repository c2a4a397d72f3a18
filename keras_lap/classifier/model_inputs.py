"""What a model takes, where that may be more than images."""

from collections.abc import Mapping

import numpy as np
from keras import ops


def are_inputs(given):
    """Whether images are given as one of several inputs of a model, as to `predict`.

    Args:
        given: Images of any form. A dict holds inputs by name, and so does a list or
            tuple in their order that has arrays of rank 4 and others.
    """
    if isinstance(given, Mapping):
        return True
    if not isinstance(given, list | tuple):
        return False
    ranks = {len(getattr(part, "shape", ())) for part in given}
    return 4 in ranks and len(ranks) > 1


def arrays_of(inputs):
    """Inputs by name or in order as arrays or tensors.

    Args:
        inputs: Dict, list or tuple of arrays `(N, ...)`.

    Returns:
        A dict or list of them.

    Raises:
        ValueError: If they are of several numbers of samples.
    """
    if isinstance(inputs, Mapping):
        arrays = {name: _array(part) for name, part in inputs.items()}
    else:
        arrays = [_array(part) for part in inputs]
    if len({shape[:1] for shape in _shapes(arrays)}) > 1:
        raise ValueError(
            "Expected inputs of as many samples each. Received: shapes "
            f"{_shapes(arrays)}"
        )
    return arrays


def images_of(inputs):
    """The images among inputs: the only one of rank 4, or the only one there is.

    Args:
        inputs: Array or tensor of images, or inputs by name or in order.

    Raises:
        ValueError: If of several, or no, inputs not just one is of rank 4.
    """
    if not isinstance(inputs, Mapping | list):
        return inputs
    if len(inputs) == 1:
        (only,) = _parts(inputs)
        return only
    found = [each for each in _parts(inputs) if len(each.shape) == 4]
    if len(found) != 1:
        raise ValueError(
            "Expected one input of images, of rank 4, beside others. Received: shapes "
            f"{_shapes(inputs)}"
        )
    return found[0]


def _parts(inputs):
    return inputs.values() if isinstance(inputs, Mapping) else inputs


def _shapes(inputs):
    return [tuple(each.shape) for each in _parts(inputs)]


def _array(values):
    return values if ops.is_tensor(values) else np.asarray(values)
