"""What the losses on predicted classes have in common."""

import copy

from keras import tree

from keras_lap.injection.losses.base_loss import BaseLoss
from keras_lap.injection.losses.class_logits import OUTPUTS, class_logits
from keras_lap.injection.losses.compiled_outputs import compiled_outputs
from keras_lap.utils.names import check_choice
from keras_lap.utils.warn import warn


class ClassLoss(BaseLoss):
    """A loss that has to know what the predictions of a model mean.

    Args:
        outputs: `"softmax"`, one class out of several, or `"sigmoid"`, independent
            classes, each present or not. In `fit`, `"softmax"` is warned of where the
            model is compiled with a binary cross-entropy.
        from_logits: Whether the model gives logits instead of probabilities. By
            default, in `fit`, what the `from_logits` of the loss says that the model
            is compiled with, if that is one of Keras' loss objects; else, as for
            losses given by name, it gives probabilities.
        name: Name under which the term is logged.

    Raises:
        ValueError: If `outputs` is unknown.
    """

    def __init__(self, outputs="softmax", from_logits=None, name=None):
        super().__init__(name)
        check_choice("outputs", outputs, OUTPUTS)
        self.outputs = outputs
        self.from_logits = from_logits

    def for_model(self, model):
        if self.outputs == "softmax" and compiled_outputs(model) == "sigmoid":
            warn(
                f"The loss {self.name!r} takes the model's classes for such as exclude "
                "each other, but the model is compiled with a binary cross-entropy, "
                'which is for independent ones. For such, set `outputs="sigmoid"`.',
            )
        if self.from_logits is not None:
            return self
        settled = copy.copy(self)
        settled.from_logits = any(
            getattr(loss, "from_logits", False) for loss in tree.flatten(model.loss)
        )
        return settled

    def class_logits(self, predictions):
        """Logits of the classes, float32 or float64 `(N, classes)`."""
        return class_logits(predictions, self.outputs, self.from_logits)

    def get_config(self):
        return {
            **super().get_config(),
            "outputs": self.outputs,
            "from_logits": self.from_logits,
        }
