"""Gradients of class scores, on each of Keras' backends."""

import keras

if keras.config.backend() == "tensorflow":
    from keras_lap.evaluation.score_gradients.tensorflow_score_gradients import (
        ScoreGradients,
    )
elif keras.config.backend() == "torch":
    from keras_lap.evaluation.score_gradients.torch_score_gradients import (
        ScoreGradients,
    )
else:
    from keras_lap.evaluation.score_gradients.jax_score_gradients import (
        ScoreGradients,
    )

__all__ = ["ScoreGradients"]
