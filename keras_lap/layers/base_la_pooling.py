"""What the local attention pooling layers have in common."""

import math

import keras
from keras import layers, ops

from keras_lap.layers.score_head import (
    ACTIVATIONS,
    AGGREGATIONS,
    ScoreHead,
    attention_scores,
)
from keras_lap.layers.score_tape import ScoreRecord, record_scores
from keras_lap.ops import la_pool
from keras_lap.ops.arguments import (
    BASES,
    GATINGS,
    WEIGHTINGS,
)
from keras_lap.ops.dispatch import supports_jit
from keras_lap.utils.float_dtypes import compute_dtype
from keras_lap.utils.layout import (
    channel_axis,
    from_channels_last,
    standardize_data_format,
    to_channels_last,
)
from keras_lap.utils.names import check_choice
from keras_lap.utils.standardize_count import standardize_count


class BaseLAPooling(layers.Layer):
    """Scores every pixel, then pools by `keras_lap.la_pool`.

    Subclasses fix the windows: `pool_size`, `strides` and `padding`, where a
    `pool_size` of `None` is the whole map.

    Attributes:
        rank: Number of spatial axes.
    """

    rank = None

    def __init__(
        self,
        *,
        data_format,
        concepts,
        hidden,
        weighting,
        gating,
        alpha,
        scores,
        score_activation,
        initial_score,
        detach_scores,
        score_gain,
        base,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_jit = supports_jit(self.rank)
        check_choice("weighting", weighting, WEIGHTINGS)
        check_choice("gating", gating, GATINGS)
        check_choice("base", base, BASES)
        check_choice("scores", scores, (*AGGREGATIONS, "features"))
        check_choice("score_activation", score_activation, ACTIVATIONS)
        check_choice("detach_scores", detach_scores, (False, True))
        concepts = standardize_count("concepts", concepts)
        if hidden is not None:
            hidden = standardize_count("hidden", hidden)
        if scores == "features" and gating is not None:
            raise ValueError(
                'Expected `gating=None` with scores="features": features are no '
                f"scores in [0, 1] to gate with. Received: gating={gating!r}"
            )
        initial_score = _standardize_between(
            "initial_score", initial_score, 1, "a number between 0 and 1"
        )
        alpha = _standardize_between(
            "alpha",
            alpha,
            math.inf,
            "a positive, finite number; at zero its gradient vanishes and training "
            "could never leave it",
        )
        score_gain = _standardize_between(
            "score_gain",
            score_gain,
            math.inf,
            "a positive, finite number: with 1 scores learn at the rate of the "
            "network, with 10 ten times as fast",
        )
        self.concepts = concepts
        self.hidden = hidden
        self.weighting = weighting
        self.gating = gating
        self.alpha = alpha
        self.scores = scores
        self.score_activation = score_activation
        self.initial_score = initial_score
        self.detach_scores = bool(detach_scores)
        self.score_gain = score_gain
        self.base = base
        self.data_format = standardize_data_format(data_format)
        self.input_spec = layers.InputSpec(ndim=self.rank + 2)
        self.head = self.gate = None
        if scores != "features":
            with keras.RematScope(None):
                self.head = ScoreHead(
                    concepts,
                    hidden,
                    score_activation,
                    initial_score,
                    score_gain,
                    name="score_head",
                    dtype=self.dtype_policy,
                )
            # Of a frozen layer the statistics of the head's normalisation stay too.
            self.head.trainable = self.trainable

    def build(self, input_shape):
        shape = to_channels_last(input_shape, self.data_format)
        if shape[-1] is None:
            raise ValueError(
                f"Expected the number of channels to be known, with "
                f"data_format={self.data_format!r}. Received: an input of shape "
                f"{tuple(input_shape)}. Give `keras.Input` the number of channels."
            )
        if self.head is not None:
            self.head.build(shape)
            axes = {channel_axis(self.data_format): shape[-1]}
            self.input_spec = layers.InputSpec(ndim=self.rank + 2, axes=axes)
        self.raw_alpha = self.add_weight(
            name="raw_alpha",
            shape=(),
            initializer=keras.initializers.Constant(_inverse_softplus(self.alpha)),
            autocast=False,
        )
        if self.base is not None:
            self.gate = self.add_weight(
                name="gate",
                shape=(),
                initializer="zeros",
                trainable=False,
                autocast=False,
            )

    def call(self, inputs, training=None):
        axis = channel_axis(self.data_format)
        # Once for the score head and the pooling.
        x = ops.moveaxis(inputs, axis, -1)
        pool = super().rematerialized_call(self._pool, inputs)
        y = pool(x, self._attention(x, training))
        return ops.moveaxis(y, -1, axis)

    def _pool(self, x, attention):
        return la_pool(
            x,
            attention,
            self.sharpness,
            self.pool_size,
            self.strides,
            self.padding,
            weighting=self.weighting,
            gating=self.gating,
            base=self.base,
            base_gate=self.gate,
            data_format="channels_last",
        )

    def rematerialized_call(self, layer_call, *args, **kwargs):
        # Only `_pool` is recomputed: records of scores recomputed have no gradient.
        return layer_call

    def _attention(self, x, training):
        logits, attention = None, x
        if self.head is not None:
            logits = self.head(x, training=training)
            attention = attention_scores(self.head.scores(logits), self.scores)
        record_scores(ScoreRecord(self, logits, attention))
        return ops.stop_gradient(attention) if self.detach_scores else attention

    @property
    def sharpness(self):
        """The current, trained value of alpha: `softplus` of a free variable."""
        if not self.built:
            raise AttributeError(
                "Expected a layer that is built, to read its `sharpness`. Received: "
                f"{self.name!r}, which is not. Call it, or its `build(input_shape)`."
            )
        dtype = compute_dtype(self.raw_alpha.dtype)
        return ops.softplus(ops.cast(self.raw_alpha, dtype))

    def compute_output_shape(self, input_shape):
        batch, *sizes, channels = to_channels_last(input_shape, self.data_format)
        sizes = self._output_sizes(sizes)
        return from_channels_last((batch, *sizes, channels), self.data_format)

    def _output_sizes(self, sizes):
        """Spatial sizes of the output for those of the input."""
        raise NotImplementedError

    def get_config(self):
        return {
            **super().get_config(),
            "concepts": self.concepts,
            "hidden": self.hidden,
            "weighting": self.weighting,
            "gating": self.gating,
            "alpha": self.alpha,
            "scores": self.scores,
            "score_activation": self.score_activation,
            "initial_score": self.initial_score,
            "detach_scores": self.detach_scores,
            "score_gain": self.score_gain,
            "base": self.base,
            "data_format": self.data_format,
        }


def _standardize_between(name, value, end, expected):
    """A number between 0 and `end`, as a `float`."""
    try:
        number = float(value)
        # Not of texts, nor of complex numbers.
        is_number = bool(value == number)
    except (TypeError, ValueError, OverflowError):
        is_number = False
    if not is_number or not 0 < number < end:
        raise ValueError(
            f"Expected `{name}` to be {expected}. Received: {name}={value!r}"
        )
    return number


def _inverse_softplus(value):
    return value + math.log(-math.expm1(-value))
