"""What the map shows is enough."""

import keras

from keras_lap.injection.losses.perturbation_loss import PerturbationLoss
from keras_lap.injection.losses.surprisal import surprisal


@keras.saving.register_keras_serializable("keras_lap")
class Sufficiency(PerturbationLoss):
    """What the map shows, by itself, makes the model give the labelled class.

    With the map `M` of an image `x`, and the probability `p_c` of its class,

        x' = M x + (1 - M) blur(x),    -log p_c(x')

    With independent classes it is the mean over those that are present, which share
    one map. With `"softmax"` and several classes present, `p_c` is the sum of theirs.

    This is the preservation game of Fong and Vedaldi 2017 (Interpretable Explanations
    of Black Boxes by Meaningful Perturbation), in the logarithmic form of Dabkowski and
    Gal 2017 (Real Time Image Saliency for Black Box Classifiers). They look for a map
    of a network that stays as it is; that the map is the network's own, and both are
    trained, is this library's own design.

    **A map that is high everywhere is sufficient.** Use it along with a loss that keeps
    maps small, such as `AreaPrior` or `Presence`, or with masks. See `PerturbationLoss`
    for how the map is made, what it needs and costs in `fit`, and what to beware of.

    Args:
        outputs: `"softmax"`, one class out of several, or `"sigmoid"`, independent
            classes, each present or not.
        from_logits: Whether the model gives logits instead of probabilities.
        blur: Standard deviation of the blur, as a share of the images' shorter side.
        name: Name of the term in the logs.

    Raises:
        ValueError: If `outputs` is unknown, `blur` is not positive and finite, or,
            when called, if a model of a single class has `"softmax"`.

    Call arguments:
        predictions: What the model gives for the changed images, `(N, classes)`.
        present: `(N, classes)`, 1 for the classes that the labels name, else 0. A
            sample without any has a term of 0.

    Returns:
        float32 tensor `(N,)`.

    Example:

    >>> import numpy as np
    >>> from keras_lap import losses
    >>> predictions = np.array([[0.5, 0.25, 0.25]])
    >>> loss = losses.Sufficiency()
    >>> round(float(loss(predictions, present=np.array([[0, 1, 0]]))[0]), 3)
    1.386
    """

    def kept(self, maps):
        return maps

    def call(self, logits, present):
        return surprisal(logits, present, self.outputs)
