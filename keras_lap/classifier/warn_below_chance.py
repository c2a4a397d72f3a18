"""Right answers so few that classes are likely in another order."""

import math

from keras_lap.classifier.right_answers import right_answers
from keras_lap.utils.warn import warn

# So few right answers are no accident.
_IMPROBABLE = 0.01


def warn_below_chance(outputs, labels, name="model", usual=None):
    """Warns if a model is right less often than by chance, and that is no accident.

    Args:
        outputs: Float array `(N, classes)`. What is NaN is wrong.
        labels: As `standardize_labels` returns them. Several per image are not judged,
            nor are numbers that are no classes of the model.
        name: What the model is called.
        usual: The share of right answers to be expected of it at least. By default that
            of chance, as of one that has learned nothing yet.
    """
    is_right = right_answers(outputs, labels)
    if is_right is None or labels.max() >= outputs.shape[-1]:
        return
    accuracy, chance = is_right.mean(), 1 / outputs.shape[-1]
    usual = chance if usual is None else usual
    # Of few images: the probability, by Hoeffding's inequality, that no more answers
    # are right of a model that is right as often as is usual.
    is_accident = math.exp(-2 * len(is_right) * (usual - accuracy) ** 2) >= _IMPROBABLE
    if accuracy < chance and not is_accident:
        warn(
            f"The accuracy of the {name} is {accuracy:.3f}, below the "
            f"{chance:.3f} of chance. Unless these images were chosen for wrong "
            "answers, its classes may be in another order than the labels "
            "(`class_names` or --classes says that of folders), or it may take other "
            "pixels (--preprocess)."
        )
