"""Predictions of a model, brought into one form."""

import math

from keras import ops

from keras_lap.utils.float_dtypes import compute_dtype

OUTPUTS = ("softmax", "sigmoid")
# Smaller probabilities have no gradient. Its square is far from overflow in float32.
_SMALLEST = 1e-12


def class_logits(predictions, outputs, from_logits):
    """Logits of the classes that a model predicts.

    Where it gives probabilities, the logits that Keras' activations leave with them
    are taken, if there are any, for they say more of predictions that are sure.

    Args:
        predictions: Tensor `(N, classes)`.
        outputs: `"softmax"`, one class out of several, or `"sigmoid"`, independent
            classes.
        from_logits: Whether the model gives logits; else it gives probabilities.

    Returns:
        float32 or float64 tensor `(N, classes)`.

    Raises:
        ValueError: If the predictions are of a single class, with `"softmax"`.
    """
    if outputs == "softmax" and predictions.shape[-1] == 1:
        raise ValueError(
            'Expected a loss with outputs="sigmoid" for a model of a single class, '
            f"whose softmax is always 1. Received: outputs={outputs!r}"
        )
    logits = predictions if from_logits else getattr(predictions, "_keras_logits", None)
    if logits is not None:
        return ops.cast(logits, compute_dtype(logits.dtype))
    probabilities = ops.cast(predictions, compute_dtype(predictions.dtype))
    logits = _log(probabilities)
    if outputs == "softmax":
        return logits
    return logits - _log(1 - probabilities)


def _log(probabilities):
    # On torch `ops.maximum` would round float64.
    return ops.log(ops.clip(probabilities, _SMALLEST, math.inf))
