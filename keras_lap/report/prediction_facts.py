"""What a report says of predictions."""

import numpy as np

from keras_lap.report.finite import finite

# Classes that are listed of each prediction.
_LISTED = 5


def prediction_facts(name, outputs, from_logits, labels, known):
    """The likeliest classes of samples, and whether the prediction is right.

    A class is predicted if it is the likeliest, or, where there are several labels per
    sample, if its probability is at least 0.5.

    Args:
        name: Name of the explanation, for errors.
        outputs: Float array `(N, classes)`, or None.
        from_logits: Whether they are logits. Their softmax is shown then, or, where
            there are several labels per sample, their sigmoid.
        labels: List of `N` lists of labels; an empty one is unknown unless `known`.
        known: Where there are several labels per sample, list of `N` lists of the
            classes of which it is known whether the sample has them; otherwise None.

    Returns:
        A list of `N` dicts: `likely`, pairs of class and probability, the highest
        first; `predicted`, a list of classes; `right`, a bool, of known classes alone,
        or None without any.

    Raises:
        ValueError: If an output is not finite.
    """
    if outputs is None:
        return [{"likely": [], "predicted": [], "right": None} for _ in labels]
    if not np.isfinite(outputs).all():
        raise ValueError(
            "Expected finite predictions. "
            f"Received: NaN or infinite values in those of {name!r}."
        )
    several = known is not None
    if from_logits:
        outputs = _sigmoid(outputs) if several else _softmax(outputs)
    facts = []
    for row, label, judged in zip(outputs, labels, known or labels, strict=True):
        order = np.argsort(-row, kind="stable")
        predicted = (np.flatnonzero(row >= 0.5) if several else order[:1]).tolist()
        said = [k for k in predicted if k in judged] if several else predicted
        facts.append(
            {
                "likely": [
                    [int(k), finite(np.clip(row[k], 0, 1))] for k in order[:_LISTED]
                ],
                "predicted": predicted,
                "right": said == label if judged else None,
            }
        )
    return facts


def _sigmoid(logits):
    return np.exp(-np.logaddexp(0, -logits))


def _softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
