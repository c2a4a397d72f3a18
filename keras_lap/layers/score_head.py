"""The part of a LAP layer that looks at every pixel and scores its concepts."""

import math

import keras
from keras import backend, layers, ops

from keras_lap.layers.dense import Dense

ACTIVATIONS = ("sigmoid", "ramp")
AGGREGATIONS = ("max", "noisy_or")


@keras.saving.register_keras_serializable("keras_lap")
class ScoreHead(layers.Layer):
    """Scores `K` concepts at every pixel with 1x1 convolutions.

    `Z = gain * Conv1x1(C -> K)(X)`, optionally behind `Conv1x1 -> batch norm -> ReLU`.
    Under an adaptive optimiser the gain acts as a factor of the learning rate of the
    last convolution: a fresh head can learn faster than the network around it.

    Args:
        concepts: Number of concepts `K`.
        hidden: Width of the hidden layer, or `None` to do without.
        activation: `"sigmoid"`, or `"ramp"`: `(z + 1) / 2` clipped to `[0, 1]`,
            which reaches exact zeros and ones at logits of -1 and 1.
        initial_score: Score that every concept starts with, in `(0, 1)`.
        gain: Factor of the logits.

    Input shape:
        `(N, *spatial, C)`.

    Output shape:
        Logits `(N, *spatial, K)`.
    """

    def __init__(
        self,
        concepts,
        hidden=None,
        activation="sigmoid",
        initial_score=0.05,
        gain=10.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.concepts = concepts
        self.hidden = hidden
        self.activation = activation
        self.initial_score = initial_score
        self.gain = gain
        self.hidden_layers = []
        if hidden is not None:
            self.hidden_layers = [
                Dense(hidden, use_bias=False, name="hidden", dtype=self.dtype_policy),
                layers.BatchNormalization(
                    momentum=0.9, name="norm", dtype=self.dtype_policy
                ),
                layers.ReLU(name="relu", dtype=self.dtype_policy),
            ]
        self.logits = Dense(
            concepts,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
            bias_initializer=keras.initializers.Constant(
                _inverse(activation, initial_score) / gain
            ),
            name="logits",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        for layer in [*self.hidden_layers, self.logits]:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def call(self, inputs, training=None):
        x = inputs
        for layer in self.hidden_layers:
            is_norm = isinstance(layer, layers.BatchNormalization)
            x = layer(x, training=training) if is_norm else layer(x)
        return self.gain * self.logits(x)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.concepts)

    def scores(self, logits):
        """Concept scores `S` in `[0, 1]` of logits of any shape."""
        if self.activation == "sigmoid":
            return ops.sigmoid(logits)
        return ops.clip((logits + 1) / 2, 0, 1)

    def certainty(self, logits):
        """How sure the scores of a ramp are, also where they are 1.

        The ramp is flat there, and the logits are not: they are what losses train. This
        library's own, for maps alone; what the network computes goes by the scores.

        Args:
            logits: `(N, *spatial, K)`.

        Returns:
            Tensor of the same shape, in `[0, 1]`: `sigmoid(Z)`; or `None` if the scores
            are the sigmoid themselves.
        """
        return None if self.activation == "sigmoid" else ops.sigmoid(logits)

    def get_config(self):
        return {
            **super().get_config(),
            "concepts": self.concepts,
            "hidden": self.hidden,
            "activation": self.activation,
            "initial_score": self.initial_score,
            "gain": self.gain,
        }


def attention_scores(scores, aggregation):
    """Attention `A` of a pixel from its concept scores.

    Args:
        scores: Concept scores `S`, `(N, *spatial, K)`.
        aggregation: `"max"` for `max_k S_k`, `"noisy_or"` for `1 - prod_k (1 - S_k)`.

    Returns:
        Tensor `(N, *spatial, 1)`.
    """
    if aggregation == "max":
        return ops.max(scores, axis=-1, keepdims=True)
    # Keras' product of float64 is of float32 on torch unless told otherwise.
    dtype = backend.standardize_dtype(scores.dtype)
    return 1 - ops.prod(1 - scores, axis=-1, keepdims=True, dtype=dtype)


def _inverse(activation, score):
    if activation == "sigmoid":
        return math.log(score / (1 - score))
    return 2 * score - 1
