"""What one pooling is, for the launchers: mirrors `pooling.h`."""

import dataclasses
import enum


class Weighting(enum.IntEnum):
    """How a pixel's weight falls with its distance from the best score."""

    GAUSSIAN = 0
    SOFTMAX = 1


class Base(enum.IntEnum):
    """What the pooling is blended with."""

    NONE = 0
    MAX = 1
    AVERAGE = 2
    FIRST = 3


WEIGHTINGS = {"gaussian": Weighting.GAUSSIAN, "softmax": Weighting.SOFTMAX}
BASES = {
    None: Base.NONE,
    "max": Base.MAX,
    "avg": Base.AVERAGE,
    "first": Base.FIRST,
}


@dataclasses.dataclass(frozen=True)
class Pooling:
    """Geometry and options of one local attention pooling of channels-last maps.

    Fields are those of the C++ struct of the same name, in its order.
    """

    batch: int
    height: int
    width: int
    channels: int
    groups: int
    window_height: int
    window_width: int
    stride_height: int
    stride_width: int
    pad_top: int
    pad_left: int
    out_height: int
    out_width: int
    weighting: Weighting
    base: Base
    gated: bool
    base_sees_padding: bool
    alpha_per_group: bool

    @classmethod
    def of(
        cls,
        x_shape,
        groups,
        pool_size,
        strides=None,
        padding="valid",
        *,
        weighting="gaussian",
        gating="score",
        base=None,
        alpha_per_group=False,
    ):
        """Resolves the arguments of `keras_lap.la_pool` for one shape of features.

        Args:
            x_shape: `(batch, height, width, channels)`.
            groups: Number of score maps.
            pool_size: Two integers, or `None` for one window over the whole map.
            strides: Two integers, or `None` for `pool_size`.
            padding: `"valid"`, `"same"`, or two `(before, after)` pairs.
            weighting: `"gaussian"` or `"softmax"`.
            gating: `"score"` or `None`.
            base: `None`, `"max"`, `"avg"` or `"first"`.
            alpha_per_group: Whether there is one alpha per score map.

        Raises:
            ValueError: If the groups do not divide the channels.
        """
        batch, height, width, channels = x_shape
        if groups < 1 or channels % groups:
            raise ValueError(
                "Expected the number of score maps to divide the number of channels. "
                f"Received: {groups} score maps for {channels} channels"
            )
        if pool_size is None:
            pool_size, strides, padding = (height, width), None, "valid"
        if strides is None:
            strides = pool_size
        axes = zip((height, width), pool_size, strides, strict=True)
        if padding == "same":
            pads = [_same_padding(*axis) for axis in axes]
        elif padding == "valid":
            pads = [(0, 0), (0, 0)]
        else:
            pads = [tuple(pair) for pair in padding]
        rows, columns = (
            (size + sum(pair) - window) // stride + 1
            for size, pair, window, stride in zip(
                (height, width), pads, pool_size, strides, strict=True
            )
        )
        return cls(
            batch,
            height,
            width,
            channels,
            groups,
            *pool_size,
            *strides,
            pads[0][0],
            pads[1][0],
            rows,
            columns,
            WEIGHTINGS[weighting],
            BASES[base],
            gating == "score",
            padding not in ("valid", "same"),
            alpha_per_group,
        )

    @property
    def windows(self):
        """Number of windows in the batch."""
        return self.batch * self.out_height * self.out_width

    @property
    def pixels(self):
        """Number of input pixels in the batch."""
        return self.batch * self.height * self.width

    @property
    def taps(self):
        """Number of positions in a window."""
        return self.window_height * self.window_width


def _same_padding(size, window, stride):
    """TensorFlow's rule: `ceil(size / stride)` windows, an odd pixel at the end."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2
