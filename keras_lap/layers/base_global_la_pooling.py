"""What the layers with one window over the whole map have in common."""

from keras import ops

from keras_lap.layers.base_la_pooling import BaseLAPooling
from keras_lap.utils.layout import spatial_axes


class BaseGlobalLAPooling(BaseLAPooling):
    """Local attention pooling of whole maps; subclasses fix the `rank`."""

    pool_size = strides = None
    padding = "valid"

    def __init__(
        self,
        data_format=None,
        keepdims=False,
        concepts=1,
        hidden=None,
        weighting="gaussian",
        gating="score",
        alpha=2.0,
        scores="max",
        score_activation="sigmoid",
        initial_score=0.05,
        detach_scores=False,
        score_gain=10.0,
        base=None,
        **kwargs,
    ):
        super().__init__(
            data_format=data_format,
            concepts=concepts,
            hidden=hidden,
            weighting=weighting,
            gating=gating,
            alpha=alpha,
            scores=scores,
            score_activation=score_activation,
            initial_score=initial_score,
            detach_scores=detach_scores,
            score_gain=score_gain,
            base=base,
            **kwargs,
        )
        self.keepdims = keepdims

    def call(self, inputs, training=None):
        y = super().call(inputs, training=training)
        if self.keepdims:
            return y
        return ops.squeeze(y, axis=spatial_axes(self.data_format, self.rank))

    def _output_sizes(self, sizes):
        return (1,) * self.rank if self.keepdims else ()

    def get_config(self):
        return {**super().get_config(), "keepdims": self.keepdims}
