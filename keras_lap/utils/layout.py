"""Which axes of maps are spatial, and which one holds their channels."""

from keras import config

from keras_lap.utils.names import check_choice

DATA_FORMATS = ("channels_last", "channels_first")


def standardize_data_format(data_format):
    """Fills in Keras' own setting for `None` and checks the value.

    Raises:
        ValueError: If it is neither `"channels_last"` nor `"channels_first"`, in
            whatever case.
    """
    if data_format is None:
        return config.image_data_format()
    if isinstance(data_format, str):
        data_format = data_format.lower()
    check_choice("data_format", data_format, DATA_FORMATS)
    return data_format


def channel_axis(data_format):
    """The axis of the channels of maps with a batch axis."""
    return 1 if data_format == "channels_first" else -1


def spatial_axes(data_format, rank=2):
    """The spatial axes of maps with a batch axis, of which there are `rank`."""
    first = 2 if data_format == "channels_first" else 1
    return tuple(range(first, first + rank))


def height_and_width(shape, data_format):
    """Those of images, from their shape with a batch axis."""
    return tuple(shape[axis] for axis in spatial_axes(data_format))


def sizes_and_channels(shape, data_format):
    """Tells the axes of a map apart.

    Args:
        shape: Shape of the map, without batch axis.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Its spatial sizes, as a tuple, and its number of channels.
    """
    if data_format == "channels_first":
        return shape[1:], shape[0]
    return shape[:-1], shape[-1]


def to_channels_last(shape, data_format):
    """The shape of maps, `(N, C, *sizes)` or already so, as `(N, *sizes, C)`."""
    if data_format == "channels_first":
        return (*shape[:1], *shape[2:], *shape[1:2])
    return tuple(shape)


def from_channels_last(shape, data_format):
    """The shape `(N, *sizes, C)` in the order of a layout."""
    if data_format == "channels_first":
        return (*shape[:1], *shape[-1:], *shape[1:-1])
    return tuple(shape)
