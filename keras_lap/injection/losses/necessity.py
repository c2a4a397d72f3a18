"""Without what the map shows, the class is gone."""

import keras

from keras_lap.injection.losses.perturbation_loss import PerturbationLoss
from keras_lap.injection.losses.surprisal import surprisal


@keras.saving.register_keras_serializable("keras_lap")
class Necessity(PerturbationLoss):
    """Without what the map shows, the model does not give the labelled class.

    With the map `M` of an image `x`, and the probability `p_c` of its class,

        x' = (1 - M) x + M blur(x),    -log(1 - p_c(x'))

    With independent classes it is the mean over those that are present, which share
    one map. With `"softmax"` and several classes present, `p_c` is the sum of theirs.

    This is the deletion game of Fong and Vedaldi 2017 (Interpretable Explanations of
    Black Boxes by Meaningful Perturbation), who minimise the class's score itself, as
    do, to a power, Dabkowski and Gal 2017 (Real Time Image Saliency for Black Box
    Classifiers). They look for a map of a network that stays as it is. The logarithm,
    which has a gradient where the network is sure, and training both the map and the
    network whose own it is, are this library's own design.

    **A map that is high everywhere removes everything.** Use it along with a loss that
    keeps maps small, such as `AreaPrior` or `Presence`, or with masks. As long as the
    map misses what tells the class, the term pulls the network against its task: keep
    an eye on the accuracy. See `PerturbationLoss` for the arguments, how the map is
    made, what it needs and costs in `fit`, and what else to beware of.

    Example:

    >>> import numpy as np
    >>> from keras_lap import losses
    >>> predictions = np.array([[0.5, 0.25, 0.25]])
    >>> loss = losses.Necessity()
    >>> round(float(loss(predictions, present=np.array([[0, 1, 0]]))[0]), 3)
    0.288
    """

    def kept(self, maps):
        return 1 - maps

    def call(self, logits, present):
        return surprisal(logits, present, self.outputs, of_absence=True)
