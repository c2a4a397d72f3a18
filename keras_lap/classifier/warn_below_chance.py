"""Right answers so few that classes are likely in another order."""

import math

import numpy as np

from keras_lap.classifier.labels import single_labels
from keras_lap.utils.warn import warn

# So few right answers are no accident.
_IMPROBABLE = 0.01


def warn_below_chance(outputs, labels, name="model", usual=None):
    """Warns if a model is right less often than by chance, and that is no accident.

    Args:
        outputs: Float array `(N, classes)`. What is NaN is wrong.
        labels: As `standardize_labels` returns them; several per image are not judged.
        name: What the model is called.
        usual: The share of right answers to be expected of it at least. By default that
            of chance, as of one that has learned nothing yet.
    """
    labels = single_labels(labels)
    if labels is None or labels.ndim > 1 or not (labels >= 0).any():
        return
    known = labels >= 0
    is_right = ~np.isnan(outputs).any(axis=-1) & (outputs.argmax(axis=-1) == labels)
    accuracy, chance = is_right[known].mean(), 1 / outputs.shape[-1]
    usual = chance if usual is None else usual
    # Of few images: the probability, by Hoeffding's inequality, that no more answers
    # are right of a model that is right as often as is usual.
    is_accident = math.exp(-2 * known.sum() * (usual - accuracy) ** 2) >= _IMPROBABLE
    if accuracy < chance and not is_accident:
        warn(
            f"The accuracy of the {name} is {accuracy:.3f}, below the "
            f"{chance:.3f} of chance. Unless these images were chosen for wrong "
            "answers, its classes may be in another order than the labels "
            "(`class_names` or --classes says that of folders), or it may take other "
            "pixels (--preprocess)."
        )
