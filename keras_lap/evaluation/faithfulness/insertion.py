"""The insertion game."""

from keras_lap.evaluation.faithfulness.baselines import baselines
from keras_lap.evaluation.faithfulness.replacement_curve import replacement_curve
from keras_lap.evaluation.faithfulness.samples import Samples


def insertion(
    predict, images, maps, targets, *, batch_size=32, step=None, baseline="blur", seed=0
):
    r"""How soon the class appears as the most important pixels are put in.

    From a blurred image on, pixels of the true image are put in, those first that the
    map holds most important. With the probability $p_k$ of the target after a share
    $s_k$ of the pixels, the value is the area under this curve, by trapezoids:

    $$ \sum_k (s_{k+1} - s_k) \frac{p_k + p_{k+1}}{2} $$

    It lies between 0 and 1; the higher, the better. Only the order of the pixels
    counts, and that of ties is drawn at random, as for `deletion`.

    Source: Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of
    Black-box Models", BMVC 2018, with the blur and the step of their code: 224 pixels
    a step at 224 by 224 pixels, as many as a side has. There the class is the one
    predicted; give any in `targets`.

    Args:
        predict: `keras.Model`, function or `Predictor`: images to probabilities
            `(B, classes)`, not logits.
        images: array `(N, H, W, C)`, in the range that the model expects. Integers
            are converted to floats.
        maps: array `(N, H, W)`, finite: how important each pixel is.
        targets: int array `(N,)`, the class that each map is for, or one int.
        batch_size: int, number of images per call of the model, and in memory.
            Defaults to `32`.
        step: int, number of pixels between two predictions, as for `deletion`. Defaults
            to `None`: the longer side of the images.
        baseline: what the image starts from: `"blur"`, a number, an array that
            broadcasts to an image, one image per sample, or a function of an image.
            Defaults to `"blur"`, see
            `keras_lap.evaluation.faithfulness.rise_blur.rise_blur`.
        seed: int, seed of the order of ties. Defaults to `0`.

    Returns:
        A `MetricResult` with the areas, and the curves over the share of pixels put in,
        from 0 to 1.

    Raises:
        ValueError: If shapes do not fit, a value is not finite, the output is not made
            of probabilities, or an argument is out of its range.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import insertion
    >>> weights = np.array([[0.5, 0.0], [0.0, 0.5]])
    >>> def predict(images):
    ...     return (images[..., 0] * weights).sum((1, 2))[:, None]
    >>> images = np.ones((1, 2, 2, 1))
    >>> result = insertion(predict, images, weights[None], 1, step=1, baseline=0)
    >>> result.curve.y, result.values
    (array([[0. , 0.5, 1. , 1. , 1. ]]), array([0.75]))
    """
    samples = Samples(predict, images, maps, targets, batch_size)
    start = baselines(baseline, samples)

    def ends(index):
        return start(index), samples.image(index)

    return replacement_curve(samples, ends, step, seed, "share of pixels inserted")
