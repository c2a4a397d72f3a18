"""The deletion game."""

from keras_lap.evaluation.faithfulness.baselines import baselines
from keras_lap.evaluation.faithfulness.replacement_curve import replacement_curve
from keras_lap.evaluation.faithfulness.samples import Samples


def deletion(
    predict, images, maps, targets, *, batch_size=32, step=None, baseline=0.0, seed=0
):
    r"""How soon the class disappears as the most important pixels are taken out.

    Pixels are set to zero, those first that the map holds most important. With the
    probability $p_k$ of the target after a share $s_k$ of the pixels, the value is the
    area under this curve, by trapezoids:

    $$ \sum_k (s_{k+1} - s_k) \frac{p_k + p_{k+1}}{2} $$

    It lies between 0 and 1; the lower, the better. Only the order of the pixels
    counts: a map may be rescaled by any increasing function. Pixels of the same
    importance come in an order drawn at random, so a constant map is a random one.

    Images with holes are unlike any that the model has seen. A low value may come from
    that alone: see `insertion` and `road` beside it.

    Source: Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of
    Black-box Models", BMVC 2018, with the step of their code: 224 pixels a step at 224
    by 224 pixels, as many as a side has. They delete to the zero of images that are
    already normalised, which is the mean colour, not black. For a model that has its
    preprocessing inside, give the colour that becomes zero as the `baseline`.

    Args:
        predict: `keras.Model`, function or `Predictor`: images to probabilities
            `(B, classes)`, not logits.
        images: array `(N, H, W, C)`, in the range that the model expects. Integers
            are converted to floats.
        maps: array `(N, H, W)`, finite: how important each pixel is.
        targets: int array `(N,)`, the class that each map is for, or one int.
        batch_size: int, number of images per call of the model, and in memory.
            Defaults to `32`.
        step: int, number of pixels between two predictions. Defaults to `None`: the
            longer side of the images, so that there are as many steps as the shorter
            side has pixels. Fewer steps are faster and coarser.
        baseline: what deleted pixels become: a number, an array that broadcasts to an
            image, such as one number per channel, one image per sample, `"blur"`, or a
            function of an image. Defaults to `0`.
        seed: int, seed of the order of ties. Defaults to `0`.

    Returns:
        A `MetricResult` with the areas, and the curves over the share of pixels
        deleted, from 0 to 1.

    Raises:
        ValueError: If shapes do not fit, a value is not finite, the output is not made
            of probabilities, or an argument is out of its range.

    Example:
    >>> import numpy as np
    >>> from keras_lap.evaluation import deletion
    >>> weights = np.array([[0.5, 0.0], [0.0, 0.5]])
    >>> def predict(images):
    ...     return (images[..., 0] * weights).sum((1, 2))[:, None]
    >>> images = np.ones((1, 2, 2, 1))
    >>> result = deletion(predict, images, weights[None], 1, step=1)
    >>> result.curve.y, result.values
    (array([[1. , 0.5, 0. , 0. , 0. ]]), array([0.25]))
    """
    samples = Samples(predict, images, maps, targets, batch_size)
    end = baselines(baseline, samples)

    def ends(index):
        return samples.image(index), end(index)

    return replacement_curve(samples, ends, step, seed, "share of pixels deleted")
