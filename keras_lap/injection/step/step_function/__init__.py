"""One step of `fit` or `evaluate` with something added to it."""

import keras

if keras.config.backend() == "jax":
    from keras_lap.injection.step.step_function.jax_step_function import StepFunction
else:
    from keras_lap.injection.step.step_function.in_place_step_function import (
        StepFunction,
    )

__all__ = ["StepFunction"]
