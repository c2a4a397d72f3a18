"""Gradients with respect to the images, on JAX."""

import jax
from keras import ops

from keras_lap.injection.step.input_tape.base_input_tape import BaseInputTape
from keras_lap.injection.step.single_output import single_output
from keras_lap.layers import score_tape


class InputTape(BaseInputTape):
    """Those of another forward pass, since JAX keeps no record of the first.

    Its updates of statistics and of random seeds are dropped.
    """

    def _gradient(self, explained, predictions):
        model = self._model
        trainable, others = (
            [variable.value for variable in variables]
            for variables in (model.trainable_variables, model.non_trainable_variables)
        )

        def total(images):
            outputs, _ = model.stateless_call(
                trainable,
                others,
                self._batch.as_inputs(images),
                training=self._is_training,
            )
            return ops.sum(explained(single_output(outputs)))

        with score_tape():
            return jax.grad(total)(ops.convert_to_tensor(self._batch.images))
