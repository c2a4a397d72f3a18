"""What losses see of one step."""

import functools

from keras_lap.injection.knowledge import ImageKnowledge
from keras_lap.injection.single_output import single_output


class ForwardPass:
    """What one step has computed, and what is known about its batch.

    Args:
        calls: One list of `SupervisedLayer` per call of the model, in the order in
            which its LAP layers were called.
        predictions: What the model gave.
        knowledge: A `Knowledge`.
        tape: The `InputTape` of the step, or `None`.

    Attributes:
        calls: As given.
    """

    def __init__(self, calls, predictions, knowledge, tape):
        self.calls = calls
        self._predictions = predictions
        self._knowledge = knowledge
        self._tape = tape

    @property
    def layers(self):
        """The supervised layers of all calls of the model, one after the other."""
        return [layer for layers in self.calls for layer in layers]

    @functools.cached_property
    def image_knowledge(self):
        """What is known, fitted to the images' pixels; only where there is a tape."""
        return ImageKnowledge(self._knowledge, self._tape.image_size)

    def input_gradient(self, explained):
        """Gradient of the sum of `explained(predictions)` by the images."""
        return self._tape.gradient(explained(single_output(self._predictions)))
