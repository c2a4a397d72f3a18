"""The predictions among a model's outputs."""

import numpy as np
from keras import ops

from keras_lap.names import check_names


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
    named = _named(model, outputs)
    if isinstance(output, int):
        if not -len(named) <= output < len(named):
            raise ValueError(
                f"Expected an output of {model.name!r}, which has {len(named)}. "
                f"Received: output={output}"
            )
        chosen = list(named.values())[output]
    elif output is not None:
        check_names(f"`output` to be one of {model.name!r}", [output], named)
        chosen = named[output]
    else:
        chosen = next(iter(named.values()))
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


def _named(model, outputs):
    if isinstance(outputs, dict):
        return outputs
    if not isinstance(outputs, list | tuple):
        outputs = [outputs]
    names = getattr(model, "output_names", None) or ()
    if len(set(names)) != len(outputs):
        names = [f"output {index}" for index in range(len(outputs))]
    return dict(zip(names, outputs, strict=True))
