"""Where Keras' backend takes no gradients."""

import keras


class ScoreGradients:
    """Refuses any model; what needs no gradients runs without it.

    Raises:
        NotImplementedError: Always.
    """

    def __init__(self, model):
        raise NotImplementedError(
            "Expected Keras on TensorFlow, JAX or torch, to take gradients of class "
            f"scores. Received: Keras on {keras.config.backend()}. Set KERAS_BACKEND "
            "to one of the three before Keras is imported, or choose an explainer that "
            "takes no gradients, such as LAP, Occlusion or RISE."
        )
