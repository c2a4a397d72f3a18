"""Remove and debias."""

import numpy as np

from keras_lap.evaluation.curve import Curve
from keras_lap.evaluation.faithfulness.noisy_linear_imputation import (
    noisy_linear_imputation,
)
from keras_lap.evaluation.faithfulness.pixel_order import pixel_order
from keras_lap.evaluation.faithfulness.samples import MEASURES, Samples
from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.sample_generator import sample_generator
from keras_lap.utils.names import check_choice

PERCENTAGES = (10, 20, 30, 40, 50, 70, 90)


def road(
    predict,
    images,
    maps,
    targets,
    *,
    batch_size=32,
    order="morf",
    percentages=PERCENTAGES,
    noise=0.01,
    measure="probability",
    seed=0,
):
    r"""What is left of the class when pixels are removed without leaving a trace.

    Pixels that are blacked out leave holes, whose shape tells where they were, and
    images unlike any that the model has seen. Here they are filled in from those around
    them, with a little noise, see `keras_lap.evaluation.faithfulness`'
    `noisy_linear_imputation`. The value is the mean, over the percentages $q$ of pixels
    removed, of the probability of the target on what is left of the image $x$:

    $$ \frac{1}{n} \sum_{i=1}^n p(x_{- q_i}) $$

    - `order="morf"`, most relevant first: the lower, the better.
    - `order="lerf"`, least relevant first: the higher, the better.
    - `order="combined"`: half of their difference, "lerf" minus "morf", from -1/2 to
      1/2; the higher, the better, and 0 for a map that orders at random.

    Only the order of the pixels counts: a map may be rescaled by any increasing
    function. Pixels of the same importance come in an order drawn at random.

    Source: Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution
    Methods", ICML 2022 (remove and debias), with the percentages and the noise of their
    code, and as there the pixels removed are rounded down. The paper shows the accuracy
    at each percentage, `measure="accuracy"`; its code gives the probability as well,
    which says more about a single image. The combined score is the one of the library
    pytorch-grad-cam.

    Args:
        predict: `keras.Model`, function or `Predictor`: images to probabilities
            `(B, classes)`, not logits.
        images: array `(N, H, W, C)`, in the range that the model expects. Integers
            are converted to floats.
        maps: array `(N, H, W)`, finite: how important each pixel is.
        targets: int array `(N,)`, the class that each map is for, or one int.
        batch_size: int, number of images per call of the model, and in memory.
            Defaults to `32`.
        order: `"morf"`, `"lerf"` or `"combined"`. Defaults to `"morf"`.
        percentages: list of numbers from 0 to below 100: how much of the pixels is
            removed. Defaults to `(10, 20, 30, 40, 50, 70, 90)`.
        noise: float, standard deviation of the noise, as a share of the range of the
            values of all images given. Published for images in `[0, 1]`. Defaults to
            `0.01`.
        measure: `"probability"` of the target, or `"accuracy"`: whether the target has
            the highest of all, with `1 / n` where `n` classes share it. Defaults to
            `"probability"`.
        seed: int, seed of the order of ties and of the noise. Defaults to `0`.

    Returns:
        A `MetricResult` with the means, and the curves over the share of pixels
        removed.

    Raises:
        ImportError: If SciPy is not installed.
        ValueError: If shapes do not fit, a value is not finite, the output is not made
            of probabilities, or an argument is out of its range.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import road
    >>> image = np.zeros((1, 10, 10, 1))
    >>> image[0, 4:6, 4:6] = 1
    >>> def predict(images):
    ...     return images[:, 4:6, 4:6, 0].mean((1, 2))[:, None]
    >>> right = image[..., 0]
    >>> for order in ("morf", "lerf", "combined"):
    ...     print(road(predict, image, right, 1, order=order, noise=0).values)
    [0.]
    [1.]
    [0.5]
    """
    check_choice("order", order, ("morf", "lerf", "combined"))
    check_choice("measure", measure, MEASURES)
    percentages = np.asarray(percentages, dtype="float64")
    within = (percentages >= 0) & (percentages < 100)
    if percentages.ndim != 1 or not percentages.size or not within.all():
        raise ValueError(
            "Expected a list of percentages from 0 to below 100: of an image without "
            f"pixels nothing can be filled in. Received: {percentages=}"
        )
    if not noise >= 0:
        raise ValueError(f"Expected noise of at least 0. Received: {noise=}")
    samples = Samples(predict, images, maps, targets, batch_size)
    deviation = noise * (float(np.max(images)) - float(np.min(images)))
    counts = np.floor(np.prod(samples.size) * percentages / 100).astype(int)

    def variants(index):
        image = samples.image(index)
        generator = sample_generator(seed, index)
        ranked = pixel_order(samples.map(index), generator)
        if order != "lerf":
            for count in counts:
                yield _without(image, ranked[:count], deviation, generator)
        if order != "morf":
            for count in counts:
                yield _without(
                    image, ranked[ranked.size - count :], deviation, generator
                )

    left = samples.probabilities(variants, measure)
    if order == "combined":
        most, least = np.split(left, 2, axis=1)
        left = (least - most) / 2
    name = measure if measure == "accuracy" else "probability of the target"
    name = f"half the difference in {name}" if order == "combined" else name
    curve = Curve(percentages / 100, left, "share of pixels removed", name)
    return MetricResult(left.mean(axis=1), curve)


def _without(image, pixels, deviation, generator):
    if not pixels.size:
        return image
    missing = np.zeros(image.shape[:2], dtype=bool)
    missing.ravel()[pixels] = True
    return noisy_linear_imputation(image, missing, deviation, generator)
