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
    shapes = (call.inputs[0].shape[1:] for call in calls)
    maps = [sizes_and_channels(shape, data_format)[0] for shape in shapes]
    return tuple(
        sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*maps, strict=True)
    )
