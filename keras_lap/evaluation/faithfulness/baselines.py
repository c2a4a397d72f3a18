"""What is put in the place of what is removed."""

import numpy as np

from keras_lap.evaluation.faithfulness.rise_blur import rise_blur


def baselines(baseline, samples):
    """A function that makes the image to take removed pixels from.

    Args:
        baseline: `"blur"`: the image as `rise_blur` blurs it; a number; an array that
            broadcasts to an image `(H, W, C)`, such as one number per channel; an
            array with an image per sample, `(N, H, W, C)`; or a function that takes an
            image `(H, W, C)` and returns another.
        samples: the `Samples` that are judged.

    Returns:
        A function from the index of a sample to an array `(H, W, C)`.

    Raises:
        ValueError: If `baseline` is of another kind or shape, or not finite.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation.faithfulness.baselines import baselines
    >>> from keras_lap.evaluation.faithfulness.samples import Samples
    >>> images = np.ones((1, 1, 2, 3))
    >>> samples = Samples(lambda images: images, images, images[..., 0], 0, 32)
    >>> baselines([0.5, 0.4, 0.3], samples)(0)
    array([[[0.5, 0.4, 0.3],
            [0.5, 0.4, 0.3]]])
    """
    if isinstance(baseline, str) and baseline == "blur":
        baseline = rise_blur
    if callable(baseline):
        return lambda index: _fitting(
            baseline(samples.image(index)), samples.image(index)
        )
    values = _numbers(baseline)
    if values.ndim == 4 and len(values) == len(samples):
        return lambda index: _fitting(values[index], samples.image(index))
    _fitting(values, samples.image(0))
    return lambda index: _fitting(values, samples.image(index))


def _numbers(baseline):
    try:
        values = np.asarray(baseline, dtype="float64")
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if not np.isfinite(values).all():
        raise ValueError(
            'Expected `baseline` to be "blur", finite numbers, or a function of an '
            f"image. Received: baseline={baseline!r}"
        )
    return values


def _fitting(values, image):
    values = _numbers(values)
    try:
        return np.broadcast_to(values, image.shape).astype(image.dtype)
    except ValueError:
        raise ValueError(
            "Expected `baseline` to be one number, one per channel, an image "
            f"{image.shape} or one such image per sample. Received: shape "
            f"{values.shape}"
        ) from None
