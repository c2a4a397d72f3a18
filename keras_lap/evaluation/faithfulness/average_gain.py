"""How much the class gains by what a map leaves out."""

import numpy as np

from keras_lap.evaluation.faithfulness.least_change import LEAST_CHANGE
from keras_lap.evaluation.faithfulness.masked_probabilities import masked_probabilities
from keras_lap.evaluation.metric_result import MetricResult


def average_gain(predict, images, maps, targets, *, batch_size=32, baseline=0.0):
    r"""Share of the missing probability that is gained by what the map leaves out.

    With the probabilities $p$ of the target on the image and $p'$ on the part that the
    map shows:

    $$ \frac{\max(0, p' - p)}{1 - p} $$

    It lies between 0 and 1; the higher, the better. It is the counterpart of
    `average_drop`, and says how large an increase is where `increase_in_confidence`
    only says that there is one. Images with $p = 1$, to the rounding of float32 (about
    $10^{-6}$), have nothing to gain and are left out.

    The map is multiplied into the image as for `average_drop`.

    Source: Zhang et al., "Opti-CAM: Optimizing Saliency Maps for Interpretability",
    Computer Vision and Image Understanding 248, 2024, who give the mean in percent.

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
        A `MetricResult` with values in `[0, 1]`.

    Raises:
        ValueError: If shapes do not fit, a value is not finite, the output is not made
            of probabilities, or an argument is out of its range.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import average_gain
    >>> def predict(images):
    ...     top, bottom = images[:, 0, :, 0].mean(1), images[:, 1, :, 0].mean(1)
    ...     return (0.5 + (top - bottom) / 2)[:, None]
    >>> images = np.ones((2, 2, 2, 1))
    >>> maps = np.array([[[1.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.5]]])
    >>> average_gain(predict, images, maps, 1).values
    array([1.  , 0.75])
    """
    whole, masked = masked_probabilities(
        predict, images, maps, targets, batch_size, baseline
    )
    gained, missing = np.maximum(masked - whole, 0), 1 - whole
    has_room = missing > LEAST_CHANGE
    return MetricResult(
        np.divide(gained, missing, out=np.full_like(whole, np.nan), where=has_room)
    )
