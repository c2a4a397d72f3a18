"""Gradients with respect to the images, on TensorFlow."""

import tensorflow as tf

from keras_lap.injection.step.input_tape.base_input_tape import BaseInputTape


class InputTape(BaseInputTape):
    """Those of the very forward pass inside of the block.

    Tapes that are open besides this one record them.
    """

    def __enter__(self):
        self._tape = tf.GradientTape(persistent=True)
        self._tape.__enter__()
        self._tape.watch(self._batch.images)
        return self

    def __exit__(self, *exception):
        self._tape.__exit__(*exception)

    def _gradient(self, explained, predictions):
        target = explained(predictions)
        with self._tape.stop_recording():
            return self._tape.gradient(target, self._batch.images)
