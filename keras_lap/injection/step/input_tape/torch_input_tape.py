"""Gradients with respect to the images, on torch."""

import torch
from keras import ops

from keras_lap.injection.step.input_tape.base_input_tape import BaseInputTape


class InputTape(BaseInputTape):
    """Those of the very forward pass inside of the block."""

    def __init__(self, model, batch, is_training):
        super().__init__(model, batch, is_training)
        images = ops.convert_to_tensor(batch.images)
        self._images = images.detach().clone().requires_grad_()
        self.inputs = batch.as_inputs(self._images)
        # Keras evaluates without gradients.
        self._grad_mode = torch.enable_grad()

    def __enter__(self):
        self._grad_mode.__enter__()
        return self

    def __exit__(self, *exception):
        self._grad_mode.__exit__(*exception)

    def _gradient(self, explained, predictions):
        target = explained(predictions)
        if not target.requires_grad:
            return None
        (gradient,) = torch.autograd.grad(
            target.sum(),
            self._images,
            # Other losses may want gradients of their own.
            retain_graph=True,
            create_graph=self._is_training,
            allow_unused=True,
        )
        return gradient
