"""Which axes of a map are spatial, and which one holds its channels."""


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
