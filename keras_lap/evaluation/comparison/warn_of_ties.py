"""Metrics by which no explainer differs from what explains nothing."""

import numpy as np

from keras_lap.utils.warn import warn

# What the metrics measure is a fall of probabilities as parts of images are removed.
_METRICS = ("deletion", "average_drop")
_EXPLAINS_NOTHING = {"Random", "CenterGaussian", "Edge"}
# Means of probabilities that differ by no more are taken for the same.
_SAME = 0.01
# A model that is right less often may have learned nothing to explain.
_LEAST_ACCURACY = 0.5


def warn_of_ties(comparison, model):
    """Warns if it makes no difference which parts of the images are removed.

    Args:
        comparison: The `Comparison`, with all that was measured of the model.
        model: Name of the model.
    """
    if comparison.accuracy.get(model, 1) < _LEAST_ACCURACY:
        return
    tied = []
    for metric in _METRICS:
        means = {
            key[2]: result.mean
            for key, result in comparison.results.items()
            if key[1] == model and key[3] == metric
        }
        is_held_against = len(means) > 2 and _EXPLAINS_NOTHING & {*means}
        if is_held_against and np.ptp([*means.values()]) <= _SAME:
            tied.append(metric)
    if tied:
        warn(
            f"By {' and '.join(tied)} no explainer of the {model} differs from those "
            "that explain nothing: it answers the same whatever is removed. What is "
            "removed becomes 0 by default, which may look like one of the classes, as "
            "black does where the preprocessing is inside the network. Give what looks "
            "like nothing, such as the mean of the images, as `baseline` (--baseline)."
        )
