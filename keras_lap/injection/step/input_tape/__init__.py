"""Gradients with respect to the images of the forward pass that is trained on."""

import keras

if keras.config.backend() == "tensorflow":
    from keras_lap.injection.step.input_tape.tensorflow_input_tape import InputTape
elif keras.config.backend() == "torch":
    from keras_lap.injection.step.input_tape.torch_input_tape import InputTape
else:
    from keras_lap.injection.step.input_tape.jax_input_tape import InputTape

__all__ = ["InputTape"]
