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
    for the arguments, how the map is made, what it needs and costs in `fit`, and what
    to beware of.

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
