"""The integers that every kernel is launched with."""

from typing import NamedTuple


class Geometry(NamedTuple):
    """A `keras_lap.kernels.pooling.Pooling` as 32-bit kernel arguments.

    `vectors` counts what a kernel takes for the channels of one group, in units of its
    `VECTOR`: the compiler makes wide loads where offsets are multiples of a constant.
    Kernels with one score per channel see all channels as a single group.
    """

    batch: int
    height: int
    width: int
    vectors: int
    groups: int
    window_height: int
    window_width: int
    stride_height: int
    stride_width: int
    pad_top: int
    pad_left: int
    out_height: int
    out_width: int
    weighting: int
    base: int
    gated: int
    base_sees_padding: int
    alpha_per_group: int
