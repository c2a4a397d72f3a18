"""Max poolings that stay, with LAP in front."""

from keras import layers

from keras_lap.layers import LAPooling2D
from keras_lap.surgery.rewrite import Lap, Own, Rewrite, Zeros
from keras_lap.surgery.rules.place_config import place_config


def keeping_max(rewrite, layer, graph):
    """What takes the place of a layer where max poolings stay.

    In front of a max pooling LAP has windows of one pixel: with an open gate it
    multiplies the features of each pixel by its score, and the pooling goes on with the
    largest of what is left. Where it has such windows itself, LAP takes its place.

    Args:
        rewrite: The `Rewrite` of the layer where LAP takes the place of poolings.
        layer: The layer, of any kind.
        graph: The `Graph` it is called in.

    Returns:
        A `Rewrite`.
    """
    if not _replaces_max(rewrite):
        return rewrite
    config = {
        **place_config(layer, graph.free_name(f"{layer.name}_lap"), "first"),
        "pool_size": 1,
    }
    chain = (Lap(LAPooling2D, layer, config), *_zeros(rewrite, layer, graph))
    return Rewrite((*chain, Own(layer)), absorbs=rewrite.absorbs)


def _replaces_max(rewrite):
    """Whether LAP alone takes the place of a max pooling of several pixels."""
    if len(rewrite.chain) > 1 or rewrite.lap.config["base"] != "max":
        return False
    absorbed = [call.operation for call in rewrite.absorbs]
    if any(type(operation) is not layers.ZeroPadding2D for operation in absorbed):
        return False
    # The windows of a global pooling are of any size.
    return rewrite.lap.config.get("pool_size") not in (1, (1, 1))


def _zeros(rewrite, layer, graph):
    """The padding that LAP would have absorbed, behind LAP: it scores real pixels."""
    for call in rewrite.absorbs[:1]:
        config = {
            "name": graph.free_name(f"{layer.name}_pad"),
            "padding": call.operation.padding,
            "data_format": layer.data_format,
            "dtype": layer.dtype_policy,
        }
        yield Zeros(config)
