"""The predictions among a model's outputs."""

import numpy as np
from keras import ops

from keras_lap.classifier.chosen_output import chosen_output


def predictions_of(model, outputs, output=None):
    """One of a model's outputs, as an array.

    Args:
        model: The model.
        outputs: What a call of it returned: a tensor, or a dict or list of tensors.
        output: Name or index of one of them, by default the first.

    Returns:
        Float32 array `(N, columns)`; or `None` if no output is named and the first is
        no vector per image.

    Raises:
        ValueError: If there is no such output, or it is no vector per image.
    """
    chosen = chosen_output(model, outputs, output)
    shape = tuple(chosen.shape)
    if len(shape) not in (1, 2):
        if output is None:
            return None
        raise ValueError(
            "Expected an output with one vector per image, (N, classes). "
            f"Received: output={output!r} of shape {shape}"
        )
    array = ops.convert_to_numpy(ops.cast(chosen, "float32"))
    return np.reshape(array, (len(array), -1))
