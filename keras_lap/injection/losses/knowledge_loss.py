"""What the losses on single layers have in common."""

import functools

from keras import ops

from keras_lap.injection.losses.base_loss import BaseLoss, in_float32, must_implement
from keras_lap.injection.losses.stop_uncounted_gradients import stop_uncounted_gradients

_SMALLEST_REGION = 1e-4


class KnowledgeLoss(BaseLoss):
    """A penalty on the concept logits of one LAP layer, one value per sample.

    A loss of one's own is a subclass with `needs` and `call`, and with a
    `get_config` if its constructor takes more than a name.

    Args:
        name: Name under which the term is logged; by default the class's name in
            snake case.

    Attributes:
        needs: Names of the knowledge that `call` takes besides the logits, out of
            `"present"`, `(N, K)`, 1 for what the labels name, 0 for what they do not
            and -1 where it is not known; `"mask"`, `(N, H, W, K)` in `[0, 1]`;
            `"boxes"`, `(N, M, 4)`, relative to the layer's map, and `"box_concepts"`,
            `(N, M)`; `"concepts"`, `(N, K)`; and `"area"`, `(N, K, 2)`. Samples that
            lack one of them are left out of the term. So is a sample with masks of some
            concepts only, in layers where one is missing, unless the loss takes
            `"mask_known"`, `(N, K)`, flags of the concepts whose masks are known; and
            one whose attributes or areas say nothing of the concepts of a layer, such
            as of a single one for their union.
        accepts: Names of the knowledge that `call` takes where the targets hold it,
            and has a default for where they do not. For samples that lack it, it is -1;
            for those without a mask, `"mask"` and `"mask_known"` are 0.
        compares_places: Whether it matters where in the image maps lie, as it does for
            a loss that takes masks or boxes unless it says otherwise.

    Example:

    >>> import keras, numpy as np
    >>> from keras_lap import losses
    >>> @keras.saving.register_keras_serializable("my_package")
    ... class SmallArea(losses.KnowledgeLoss):
    ...     def call(self, logits):
    ...         return keras.ops.mean(keras.ops.sigmoid(logits), axis=(1, 2, 3))
    >>> float(SmallArea()(np.zeros((1, 4, 4, 2)))[0])
    0.5
    """

    def __call__(self, logits, **knowledge):
        """Evaluates the term in float32.

        Args:
            logits: Concept logits `Z`, `(N, H, W, K)`.
            **knowledge: One tensor per name in `needs`, and any in `accepts`.

        Returns:
            float32 tensor `(N,)`.

        Raises:
            ValueError: If `call` returns anything but one value per sample.
        """
        logits = ops.cast(logits, "float32")
        return self.per_sample(self.call(logits, **in_float32(knowledge)))

    def call(self, logits, **knowledge):
        """Per-sample loss; the part that subclasses write."""
        raise must_implement(self, "call(logits, **knowledge)")

    # Unlike a property it may be set.
    @functools.cached_property
    def compares_places(self):
        return not {"mask", "boxes"}.isdisjoint(self.takes)

    def told(self, forward):
        told = self._told_by_layer(forward)
        return None if told is None else ops.any(told, axis=0)

    def of_pass(self, forward, counts):
        """Mean over the supervised calls of layers that are told enough, `(N,)`."""
        told, values = self._told_by_layer(forward), []
        for index, layer in enumerate(forward.layers):
            own = counts if told is None else ops.where(told[index], counts, 0.0)
            logits = stop_uncounted_gradients(layer.logits, own)
            values.append(self(logits, **self.choose(layer.knowledge)))
        if told is None:
            return sum(values) / len(values)
        total = ops.sum(ops.where(told, ops.stack(values), 0.0), axis=0)
        return total / ops.maximum(ops.sum(ops.cast(told, "float32"), axis=0), 1.0)

    def _told_by_layer(self, forward):
        """Flags `(layers, N)`, or `None` if all samples are told in all layers."""
        told = [self.told_in_layer(layer.knowledge) for layer in forward.layers]
        if all(flags is None for flags in told):
            return None
        everyone = ops.ones((forward.samples,), "bool")
        return ops.stack([everyone if flags is None else flags for flags in told])


def masked_mean(values, weights):
    """Mean of `values` over space under `weights`, zero where there is no weight.

    A region of less than a ten-thousandth of the map counts in proportion, so that
    rounding errors of a mask do not make one.

    Args:
        values: `(N, H, W, K)`.
        weights: Same shape, non-negative.

    Returns:
        Tensor `(N, K)`.
    """
    share = ops.mean(weights, axis=(1, 2))
    weighted = ops.mean(values * weights, axis=(1, 2))
    return weighted / ops.maximum(share, _SMALLEST_REGION)


def concept_mean(term, present):
    """Mean over the present concepts plus mean over the absent ones.

    One present concept among many absent ones counts as much as all of them.

    Args:
        term: `(N, K)`.
        present: `(N, K)`; 1 present, 0 absent, -1 neither.

    Returns:
        Tensor `(N,)`.
    """
    means = 0.0
    for state in (1, 0):
        chosen = ops.cast(present == state, term.dtype)
        count = ops.maximum(ops.sum(chosen, axis=-1), 1)
        means = means + ops.sum(term * chosen, axis=-1) / count
    return means
