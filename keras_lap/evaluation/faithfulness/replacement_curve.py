"""The probability of a class while an image is replaced pixel by pixel."""

import itertools

import numpy as np

from keras_lap.evaluation.curve import Curve
from keras_lap.evaluation.faithfulness.pixel_order import pixel_order
from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.sample_generator import sample_generator
from keras_lap.utils.standardize_count import standardize_count


def replacement_curve(samples, ends, step, seed, name):
    """Replaces pixels in the order of the maps and follows the probability.

    Args:
        samples: `Samples`.
        ends: function from the index of a sample to the image to start from and the
            image to end at, both `(H, W, C)`.
        step: int, number of pixels replaced between two predictions. `None` stands for
            the longer side of the images.
        seed: int, decides the order of pixels of the same importance.
        name: str, name of the share of pixels replaced.

    Returns:
        A `MetricResult` with the curve, and its area by trapezoids.

    Raises:
        ValueError: If `step` or `seed` is not an integer, or below 1 or 0.
    """
    pixels = int(np.prod(samples.size))
    step = max(samples.size) if step is None else standardize_count("step", step)
    counts = np.append(np.arange(0, pixels, step), pixels)

    def variants(index):
        order = pixel_order(samples.map(index), sample_generator(seed, index))
        # Of other orders in memory, what is reshaped would be a copy.
        image, end = map(np.ascontiguousarray, ends(index))
        yield image
        colors, new = image.reshape(pixels, -1), end.reshape(pixels, -1)
        for start, stop in itertools.pairwise(counts):
            chosen = order[start:stop]
            colors[chosen] = new[chosen]
            yield image

    shares = counts / pixels
    probabilities = samples.probabilities(variants)
    areas = (probabilities[:, 1:] + probabilities[:, :-1]) / 2 * np.diff(shares)
    curve = Curve(shares, probabilities, name, "probability of the target")
    return MetricResult(areas.sum(axis=1), curve)
