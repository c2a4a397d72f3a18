"""The probability of a class when only what the map shows is left."""

from keras_lap.evaluation.faithfulness.baselines import baselines
from keras_lap.evaluation.faithfulness.samples import Samples
from keras_lap.evaluation.to_unit_range import to_unit_range


def masked_probabilities(predict, images, maps, targets, batch_size, baseline):
    """Probabilities of the target on the images, and on what their maps show of them.

    The map `m` is brought to `[0, 1]` by `(m - min m) / (max m - min m)`, for each
    image by itself, and the image `x` becomes `m x + (1 - m) baseline`. A constant map
    shows nothing: it becomes zero everywhere.

    Args:
        predict: `keras.Model`, function or `Predictor`.
        images: array `(N, H, W, C)`.
        maps: array `(N, H, W)`.
        targets: int array `(N,)`, or one int.
        batch_size: int.
        baseline: see `baselines`.

    Returns:
        Two float64 arrays `(N,)`: of the whole images, and of the masked ones.

    Raises:
        ValueError: As `Samples` and `baselines` do.
    """
    samples = Samples(predict, images, maps, targets, batch_size)
    removed = baselines(baseline, samples)

    def variants(index):
        image = samples.image(index)
        yield image
        shown = to_unit_range(samples.map(index))[..., None]
        yield shown * image + (1 - shown) * removed(index)

    return samples.probabilities(variants).T
