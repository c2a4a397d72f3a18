"""How unlikely a model finds what the label says."""

from keras import ops

# Its exponential is zero beside that of any logarithm of a probability.
_IMPOSSIBLE = -1e30


def surprisal(logits, present, outputs, of_absence=False):
    """Negative logarithm of the probability of the present classes, or against them.

    - `"softmax"`: of the probability that the class is one of those that are
      present, or none of them; 0 where these are all classes.
    - `"sigmoid"`: the mean over the classes that are present.

    Args:
        logits: Tensor `(N, classes)`.
        present: `(N, classes)`; above 0 for the classes that are present.
        outputs: `"softmax"` or `"sigmoid"`.
        of_absence: Whether the probability is that against them.

    Returns:
        Tensor `(N,)` of the logits' dtype; 0 where nothing is present.
    """
    present = present > 0
    if outputs == "sigmoid":
        terms = ops.softplus(logits if of_absence else -logits)
        chosen = ops.cast(present, logits.dtype)
        count = ops.maximum(ops.sum(chosen, axis=-1), 1)
        return ops.sum(terms * chosen, axis=-1) / count
    chosen = ops.logical_not(present) if of_absence else present
    logarithms = ops.where(chosen, ops.log_softmax(logits, axis=-1), _IMPOSSIBLE)
    asked = ops.logical_and(ops.any(present, axis=-1), ops.any(chosen, axis=-1))
    return ops.where(asked, -ops.logsumexp(logarithms, axis=-1), 0.0)
