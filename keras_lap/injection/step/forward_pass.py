"""What losses see of one step."""

import functools

import keras
import numpy as np
from keras import ops

from keras_lap.injection.knowledge import ImageKnowledge, present_concepts
from keras_lap.injection.places.label_map import label_map
from keras_lap.injection.step.image_batch import ImageBatch
from keras_lap.injection.step.single_output import single_output
from keras_lap.layers import score_tape


class ForwardPass:
    """What one step has computed, and what is known about its batch.

    Args:
        calls: One list of `SupervisedLayer` per call of the model, in the order in
            which its LAP layers were called.
        guesses: List of the `guesses` of the `CallPlace` of each of them.
        model: The model.
        inputs: What it was called on.
        data_format: The layout of the images.
        predictions: What it gave.
        knowledge: A `Knowledge`.
        tape: The `InputTape` of the step, or `None`.

    Attributes:
        calls, guesses, inputs, data_format, predictions, knowledge: As given.
    """

    def __init__(
        self,
        calls,
        guesses,
        model,
        inputs,
        data_format,
        predictions,
        knowledge,
        tape,
    ):
        self.calls = calls
        self.guesses = guesses
        self.inputs = inputs
        self.data_format = data_format
        self._model = model
        self.predictions = predictions
        self.knowledge = knowledge
        self._tape = tape

    @property
    def layers(self):
        """The supervised layers of all calls of the model, one after the other."""
        return [layer for layers in self.calls for layer in layers]

    def layer_of(self, concepts):
        """The first of the layers that has so many concepts, or `None`."""
        found = (each for each in self.layers if each.logits.shape[-1] == concepts)
        return next(found, None)

    @property
    def samples(self):
        """Number of the samples."""
        return ops.shape(self.layers[0].logits)[0]

    @functools.cached_property
    def image_knowledge(self):
        """What is known, fitted to the images' pixels."""
        return ImageKnowledge(self.knowledge, self._batch.size)

    @functools.cached_property
    def _batch(self):
        return ImageBatch(self.inputs, self.data_format)

    @property
    def images(self):
        """The images, `(N, H, W, C)` whatever layout they have in the model.

        Raises:
            ValueError: If they are none, or not of a float dtype, or there are others.
        """
        return self._batch.channels_last(self._batch.images)

    @functools.cached_property
    def label_map(self):
        """Where the layers saw what the labels name, as `label_map` returns it."""
        return label_map(self.layers, self._batch.size[1:])

    @functools.cached_property
    def present_classes(self):
        """The classes that the labels name, 1 or 0, `(N, classes)`."""
        classes = single_output(self.predictions).shape[-1]
        known = self.knowledge
        present = present_concepts(known.one_label, np.eye(classes), known.outputs)
        return ops.maximum(present, 0)

    def predict(self, images):
        """What the model gives for other images, as it does when it is in use.

        The pass takes part in the training, but moves no statistics, drops nothing
        out and is not supervised itself.

        Args:
            images: Tensor `(N, H, W, C)`.

        Returns:
            Tensor `(N, classes)`.

        Raises:
            ValueError: If the step does not give the model its weights.
        """
        _check_has_weights(self._model)
        inputs = self._batch.for_model(images)
        with score_tape():
            return single_output(self._model(inputs, training=False))

    def input_gradient(self, explained):
        """Gradient of the sum of `explained(predictions)` by the images.

        Raises:
            ValueError: If the step does not give the model its weights.
        """
        _check_has_weights(self._model)
        return self._tape.gradient(explained, single_output(self.predictions))


def _check_has_weights(model):
    """Refuses to call a model whose weights are elsewhere, as during a step on JAX.

    There they are the arguments of `stateless_call` and `stateless_compute_loss`.

    Raises:
        ValueError: If they are.
    """
    if keras.config.backend() != "jax":
        return
    try:
        for variable in model.variables[:1]:
            _ = variable.value
    except TypeError as error:
        raise ValueError(
            "Expected a step that computes its loss by `stateless_compute_loss`, for "
            "losses that call the model once more, such as Necessity, Sufficiency and "
            f"RightReasons. Received {model.name!r} of type {type(model).__name__}, "
            "whose step calls `compute_loss`, for which it has no weights on JAX."
        ) from error
