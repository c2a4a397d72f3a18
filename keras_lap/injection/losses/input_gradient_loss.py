"""What the losses on gradients with respect to the images have in common."""

from keras import ops

from keras_lap.injection.losses.base_loss import (
    BaseLoss,
    all_of,
    in_float32,
    must_implement,
)
from keras_lap.injection.losses.stop_uncounted_gradients import stop_uncounted_gradients


class InputGradientLoss(BaseLoss):
    """A penalty on how the predictions change with the images, one value per sample.

    A loss of one's own is a subclass with `explained` and `call`, with `needs` and
    `accepts` for the knowledge that `call` takes, and with a `get_config` if its
    constructor takes more than a name.

    In `fit` the gradient is that of the forward pass that is trained on, so it takes
    one more backward pass, and training a derivative of second order. On JAX it takes
    one more forward pass too, in which random layers draw anew. The model has to have a
    single input, images of a float dtype, and a single output.

    Args:
        name: Name under which the term is logged; by default the class's name in
            snake case.

    Attributes:
        needs: Names of the knowledge that `call` takes besides the gradient, as in
            `KnowledgeLoss.needs`. It is fitted to the pixels of the images and to a
            single concept, what there is to look at, which is present in all of them:
            the mask is `(N, H, W, 1)`, the union of those of all concepts, and not
            known if one of them is not. Samples that lack one of the names are left out
            of the term.
        accepts: Names of the knowledge that `call` takes where the targets hold it.

    Example:

    >>> import keras, numpy as np
    >>> from keras_lap import losses
    >>> @keras.saving.register_keras_serializable("my_package")
    ... class Insensitive(losses.InputGradientLoss):
    ...     def explained(self, predictions):
    ...         return keras.ops.max(predictions, axis=-1)
    ...
    ...     def call(self, gradient):
    ...         return keras.ops.sum(keras.ops.square(gradient), axis=(1, 2, 3))
    >>> float(Insensitive()(np.ones((1, 4, 4, 3)))[0])
    48.0
    """

    def __call__(self, gradient, **knowledge):
        """Evaluates the term in float32.

        Args:
            gradient: Of `sum(explained(predictions))` with respect to the images,
                `(N, H, W, C)`.
            **knowledge: One tensor per name in `needs`, and any in `accepts`.

        Returns:
            float32 tensor `(N,)`.

        Raises:
            ValueError: If `call` returns anything but one value per sample.
        """
        gradient = ops.cast(gradient, "float32")
        return self.per_sample(self.call(gradient, **in_float32(knowledge)))

    def explained(self, predictions):
        """What the gradient is taken of, a float tensor; summed over all its axes."""
        raise must_implement(self, "explained(predictions)")

    def call(self, gradient, **knowledge):
        """Per-sample loss."""
        raise must_implement(self, "call(gradient, **knowledge)")

    def told(self, forward):
        return all_of(self.told_masks(forward.image_knowledge))

    def of_pass(self, forward, counts):
        """The term of each sample, `(N,)`."""
        gradient = forward.input_gradient(self.explained)
        gradient = stop_uncounted_gradients(gradient, counts)
        return self(gradient, **self.choose(forward.image_knowledge))
