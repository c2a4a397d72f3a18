"""How good the predictions of a network are."""

import numpy as np

from keras_lap.evaluation import Predictor


def predict(model, images):
    """Probabilities `(N, classes)` of uint8 images `(N, H, W, 3)`."""
    return Predictor(model)(images, batch_size=100)


def quality(probabilities, labels):
    """Share of right answers, or for several labels at once mean average precision.

    Args:
        probabilities: `(N, classes)`.
        labels: int `(N,)`, or zeros and ones `(N, classes)`.

    Returns:
        A number in `[0, 1]`.
    """
    if labels.ndim == 1:
        return float(np.mean(probabilities.argmax(axis=-1) == labels))
    pairs = zip(probabilities.T, labels.T, strict=True)
    return float(np.mean([average_precision(*pair) for pair in pairs if pair[1].any()]))


def average_precision(scores, relevant):
    """Mean over the relevant samples of the precision down to their rank.

    Args:
        scores: `(N,)`. Samples of the same score share their rank, the worst of them.
        relevant: Zeros and ones `(N,)`, of which one at least is 1.

    Returns:
        A number in `[0, 1]`.
    """
    relevant = np.asarray(relevant, bool)
    at_least = scores >= scores[relevant][:, None]
    return float(np.mean((at_least & relevant).sum(axis=1) / at_least.sum(axis=1)))
