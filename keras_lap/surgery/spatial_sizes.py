"""Sizes of the maps that calls read."""

from keras_lap.utils.layout import sizes_and_channels


def spatial_sizes(calls, data_format):
    """The size of the maps that `calls` read, per spatial axis.

    Args:
        calls: Calls that read one map each.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        A pair of integers; `None` where a size is unknown or differs between calls.
    """
    shape = common_shape([call.inputs[0].shape for call in calls])
    return sizes_and_channels(shape[1:], data_format)[0]


def common_shape(shapes):
    """What several shapes have in common; `None` along axes where they differ."""
    return tuple(
        sizes[0] if len(set(sizes)) == 1 else None
        for sizes in zip(*shapes, strict=True)
    )
