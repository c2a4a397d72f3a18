"""Whether the class gains by what a map leaves out."""

from keras_lap.evaluation.faithfulness.least_change import LEAST_CHANGE
from keras_lap.evaluation.faithfulness.masked_probabilities import masked_probabilities
from keras_lap.evaluation.metric_result import MetricResult


def increase_in_confidence(
    predict, images, maps, targets, *, batch_size=32, baseline=0.0
):
    r"""Whether the class is more probable when only what the map shows is left.

    With the probabilities $p$ of the target on the image and $p'$ on the part that the
    map shows, the value is 1 if $p' > p$, else 0. The mean is the share of such images;
    the higher, the better. No change is no increase, nor is one within the rounding of
    float32, about $10^{-6}$. Where a model is already sure, there is no room for an
    increase, and `average_drop` tells more.

    The map is multiplied into the image as for `average_drop`.

    Source: Chattopadhay et al., "Grad-CAM++: Generalized Gradient-based Visual
    Explanations for Deep Convolutional Networks", WACV 2018, who give the share in
    percent.

    Args:
        predict: `keras.Model`, function or `Predictor`: images to probabilities
            `(B, classes)`, not logits.
        images: array `(N, H, W, C)`, in the range that the model expects. Integers
            are converted to floats.
        maps: array `(N, H, W)`, finite: how important each pixel is.
        targets: int array `(N,)`, the class that each map is for, or one int.
        batch_size: int, number of images per call of the model, and in memory.
            Defaults to `32`.
        baseline: what the removed part becomes, as for `average_drop`. Defaults to `0`.

    Returns:
        A `MetricResult` with values 0 and 1.

    Raises:
        ValueError: If shapes do not fit, a value is not finite, the output is not made
            of probabilities, or an argument is out of its range.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import increase_in_confidence
    >>> def predict(images):
    ...     top, bottom = images[:, 0, :, 0].mean(1), images[:, 1, :, 0].mean(1)
    ...     return (0.5 + (top - bottom) / 2)[:, None]
    >>> images = np.ones((2, 2, 2, 1))
    >>> maps = np.array([[[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]]])
    >>> increase_in_confidence(predict, images, maps, 1).values
    array([1., 0.])
    """
    whole, masked = masked_probabilities(
        predict, images, maps, targets, batch_size, baseline
    )
    return MetricResult((masked - whole > LEAST_CHANGE).astype("float64"))
