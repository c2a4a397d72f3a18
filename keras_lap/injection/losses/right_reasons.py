"""Predictions that do not change with what lies outside of the mask."""

import keras
from keras import ops

from keras_lap.injection.losses.class_loss import ClassLoss
from keras_lap.injection.losses.input_gradient_loss import InputGradientLoss


@keras.saving.register_keras_serializable("keras_lap")
class RightReasons(ClassLoss, InputGradientLoss):
    """What lies outside of the mask makes no difference to the prediction.

    With the share `m` in `[0, 1]` of each pixel of the image `x` that the mask covers,
    and the probabilities `p_k` of the classes,

        sum over pixels and channels of ((1 - m) d/dx sum_k log p_k)^2

    Due to Ross, Hughes and Doshi-Velez 2017 (Right for the Right Reasons: Training
    Differentiable Models by Constraining their Explanations), as a sum, to be weighted
    so that it is of the order of the model's own loss. With independent classes `p_k`
    and `1 - p_k` both count, as the two classes that they are. Shares of pixels are
    this library's own addition.

    It is a penalty on the whole network, not on the scores of its LAP layers, and
    looks at small changes of the image alone: where the prediction is saturated, they
    make none. An empty mask says that there is nothing to look at.

    See `InputGradientLoss` for what it needs and costs in `fit`.

    Args:
        outputs, from_logits: As in `PerturbationLoss`.
        name: Name of the term in the logs.

    Raises:
        ValueError: If `outputs` is unknown, or, in `fit`, if a model of a single class
            has `"softmax"`.

    Call arguments:
        gradient: `d/dx sum_k log p_k`, `(N, H, W, C)`.
        mask: `(N, H, W, 1)`, the share in `[0, 1]` of each pixel that counts.

    Returns:
        float32 tensor `(N,)`.

    Example:

    >>> import numpy as np
    >>> from keras_lap import losses
    >>> gradient, mask = np.full((1, 4, 4, 3), 0.5), np.ones((1, 4, 4, 1))
    >>> mask[0, 0, :2] = 0
    >>> float(losses.RightReasons()(gradient, mask=mask)[0])  # 2 pixels, 3 channels
    1.5
    """

    needs = ("mask",)

    def explained(self, predictions):
        logits = self.class_logits(predictions)
        if self.outputs == "softmax":
            return ops.log_softmax(logits, axis=-1)
        return -ops.softplus(logits) - ops.softplus(-logits)

    def call(self, gradient, mask):
        return ops.sum(ops.square((1 - mask) * gradient), axis=(1, 2, 3))
