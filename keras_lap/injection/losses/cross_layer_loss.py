"""What the losses on several layers at a time have in common."""

from keras import ops

from keras_lap.injection.losses.base_loss import BaseLoss, all_of, must_implement


class CrossLayerLoss(BaseLoss):
    """A penalty on the concept logits of several LAP layers, one value per sample.

    A loss of one's own is a subclass with `call`, with `needs` and `accepts` for the
    knowledge it reads, and with a `get_config` if its constructor takes more than a
    name. In `fit` it gets the supervised layers of one call of the model, in the order
    in which they are called. Where the model is called several times, the term is the
    mean over its calls; one ends where a layer is met again.

    Args:
        name: Name under which the term is logged; by default the class's name in
            snake case.

    Attributes:
        needs: Names of knowledge as in `KnowledgeLoss.needs`. It is found in the
            `knowledge` of each layer; samples that lack one are left out, and so are
            those of which a layer lacks masks, or all layers lack anything else.
        accepts: Names of knowledge as in `KnowledgeLoss.accepts`; `name in
            layer.knowledge` tells whether it is there.
        compares_places: Whether it matters where in the image maps lie, as it does
            unless a loss says otherwise.

    Example:

    >>> import keras, numpy as np
    >>> from keras_lap import losses
    >>> @keras.saving.register_keras_serializable("my_package")
    ... class EqualAreas(losses.CrossLayerLoss):
    ...     def call(self, layers):
    ...         areas = [
    ...             keras.ops.mean(keras.ops.sigmoid(layer.logits), axis=(1, 2, 3))
    ...             for layer in layers
    ...         ]
    ...         return keras.ops.var(keras.ops.stack(areas), axis=0)
    >>> sizes = [(1, 8, 8, 2), (1, 4, 4, 2)]
    >>> layers = [losses.SupervisedLayer(np.zeros(size)) for size in sizes]
    >>> float(EqualAreas()(layers)[0])
    0.0
    """

    compares_places = True

    def __call__(self, layers):
        """Evaluates the term in float32.

        Args:
            layers: List of `SupervisedLayer`.

        Returns:
            float32 tensor `(N,)`.

        Raises:
            ValueError: If `call` returns anything but one value per sample.
        """
        return self.per_sample(self.call([layer.in_float32() for layer in layers]))

    def call(self, layers):
        """Per-sample loss; the part that subclasses write."""
        raise must_implement(self, "call(layers)")

    def told(self, forward):
        known = [layer.knowledge for layer in forward.layers]
        flags = [flags for each in known for flags in self.told_masks(each)]
        # Of a union less is known than a layer of several concepts may be told.
        for each in zip(*map(self.told_values, known), strict=True):
            flags.append(ops.any(ops.stack(each), axis=0))
        return all_of(flags)

    def of_pass(self, forward, counts):
        """Mean over the calls of the model, `(N,)`."""
        values = [
            self([layer.stop_uncounted_gradients(counts) for layer in layers])
            for layers in forward.calls
        ]
        return sum(values) / len(values)
