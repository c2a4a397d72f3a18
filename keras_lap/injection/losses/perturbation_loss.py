"""What the losses on images changed by their own maps have in common."""

import math

from keras import ops

from keras_lap.injection.are_in_order import are_in_order
from keras_lap.injection.losses.base_loss import must_implement
from keras_lap.injection.losses.class_loss import ClassLoss
from keras_lap.injection.losses.gaussian_blur import gaussian_blur
from keras_lap.injection.losses.stop_uncounted_gradients import stop_uncounted_gradients
from keras_lap.utils.float_dtypes import compute_dtype


class PerturbationLoss(ClassLoss):
    """A penalty on what the model predicts for images changed by their own maps.

    With the map `M` of an image `x`, and `K` the share of each pixel that a loss keeps
    of it, the model is asked about

        x' = K x + (1 - K) blur(x)

    `M` is the highest of the scores `sigmoid(z)` of the concepts that the label makes
    present, placed on the image as `explain(combine="product")` does: their geometric
    mean over the supervised layers that have such a concept. The scores are these
    whatever `score_activation` a layer has, so that they have a gradient where a ramp
    is flat. In `fit`, a sample whose label names no class, or one of which no layer has
    a concept, is left out of the term.

    The model predicts as it does in use, without dropout and on its moving statistics.
    What it predicts for `x'` trains both the map and the network, and takes one more
    forward and backward pass per loss; the map is made once for all of them. That
    needs a model with a single input, images of a float dtype, and a single output.

    Blurred images are unusual ones: what a network makes of them at first says little,
    and it may learn to tell them from others instead of moving its map. Begin with one
    that knows its task, or let the weight grow by `warmup`.

    A loss of one's own is a subclass with `kept` and `call`.

    Args:
        outputs: `"softmax"`, one class out of several, or `"sigmoid"`, independent
            classes, each present or not. In `fit`, `"softmax"` is warned of where the
            model is compiled with a binary cross-entropy.
        from_logits: Whether the model gives logits instead of probabilities. By
            default, in `fit`, what the `from_logits` of the loss says that the model
            is compiled with, if that is one of Keras' loss objects; else, as for
            losses given by name, it gives probabilities.
        blur: Standard deviation of the blur, as a share of the images' shorter side.
            What is to be removed must not be told from its blur: the larger, the more
            it goes, up to the mean colour of the image.
        name: Name under which the term is logged; by default the class's name in
            snake case.

    Raises:
        ValueError: If `outputs` is unknown, `blur` is not positive and finite, or,
            when called, if a model of a single class has `"softmax"`.

    Call arguments:
        predictions: What the model gives for the changed images, `(N, classes)`.
        present: `(N, classes)`, 1 for the classes that the labels name, else 0. A
            sample without any has a term of 0 in the losses of this library.

    Returns:
        float32 tensor `(N,)`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_lap import losses
    >>> @keras.saving.register_keras_serializable("my_package")
    ... class Doubt(losses.PerturbationLoss):
    ...     '''Without what the map shows, any class is as likely as another.'''
    ...
    ...     def kept(self, maps):
    ...         return 1 - maps
    ...
    ...     def call(self, logits, present):
    ...         return keras.ops.var(logits, axis=-1)
    >>> loss = Doubt(from_logits=True)
    >>> float(loss(np.array([[1.0, 3.0]]), present=np.array([[1, 0]]))[0])
    1.0
    """

    compares_places = True

    def __init__(self, outputs="softmax", from_logits=None, blur=0.2, name=None):
        super().__init__(outputs, from_logits, name)
        if not are_in_order(0, blur, math.inf, strict=True):
            raise ValueError(
                "Expected `blur` to be positive and finite, a share of the images' "
                f"shorter side. Received: blur={blur!r}"
            )
        self.blur = blur

    def __call__(self, predictions, present):
        """Evaluates the term in float32.

        Args:
            predictions: What the model gives for the changed images, `(N, classes)`.
            present: `(N, classes)`, 1 for the classes that the labels name, else 0.

        Returns:
            float32 tensor `(N,)`.

        Raises:
            ValueError: If the predictions are not one row per sample, of several
                classes with `"softmax"`, or `call` returns anything but one value per
                sample.
        """
        return self._of_logits(self._logits(predictions), present)

    def kept(self, maps):
        """Share in `[0, 1]` of each pixel that is kept, `(N, H, W, 1)` like the maps.

        The rest of it is blurred.
        """
        raise must_implement(self, "kept(maps)")

    def call(self, logits, present):
        """Per-sample loss.

        Args:
            logits: Logits of the classes, `(N, classes)`.
            present: As given.
        """
        raise must_implement(self, "call(logits, present)")

    def told(self, forward):
        _, exists = forward.label_map
        return ops.any(forward.present_classes > 0, axis=-1) & (exists > 0)

    def of_pass(self, forward, counts):
        """The term of each sample, `(N,)`."""
        maps, _ = forward.label_map
        images = forward.images
        images = ops.cast(images, compute_dtype(images.dtype))
        kept = ops.cast(self.kept(maps), images.dtype)
        changed = kept * images + (1 - kept) * gaussian_blur(images, self.blur)
        logits = stop_uncounted_gradients(
            self._logits(forward.predict(changed)), counts
        )
        return self._of_logits(logits, forward.present_classes)

    def _logits(self, predictions):
        if len(predictions.shape) != 2:
            raise ValueError(
                f"Expected predictions (N, classes) for the loss {self.name!r}. "
                f"Received shape: {tuple(predictions.shape)}"
            )
        return self.class_logits(predictions)

    def _of_logits(self, logits, present):
        logits, present = (ops.cast(tensor, "float32") for tensor in (logits, present))
        return self.per_sample(self.call(logits, present))

    def get_config(self):
        return {**super().get_config(), "blur": self.blur}
