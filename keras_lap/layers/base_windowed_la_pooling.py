"""What the layers that pool window by window have in common."""

from keras_lap.layers.base_la_pooling import BaseLAPooling
from keras_lap.ops import windows
from keras_lap.ops.arguments import (
    check_window_fits,
    standardize_padding,
    standardize_pool_size,
    standardize_sizes,
)
from keras_lap.utils.layout import to_channels_last


class BaseWindowedLAPooling(BaseLAPooling):
    """Local attention pooling in windows; subclasses fix the `rank`."""

    def __init__(
        self,
        pool_size=2,
        strides=None,
        padding="valid",
        data_format=None,
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
        self.pool_size = standardize_pool_size(pool_size, self.rank)
        strides = self.pool_size if strides is None else strides
        self.strides = standardize_sizes("strides", strides, self.rank)
        self.padding = standardize_padding(padding, self.pool_size)

    def build(self, input_shape):
        sizes = to_channels_last(input_shape, self.data_format)[1:-1]
        check_window_fits(sizes, self.pool_size, self.padding)
        super().build(input_shape)

    def _output_sizes(self, sizes):
        check_window_fits(sizes, self.pool_size, self.padding)
        return windows.output_sizes(sizes, self.pool_size, self.strides, self.padding)

    def get_config(self):
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
        }
