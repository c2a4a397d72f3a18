"""LAP that starts as taking every s-th pixel."""

from keras_lap.layers import LAPooling2D
from keras_lap.ops.arguments import standardize_sizes
from keras_lap.surgery.rewrite import Lap
from keras_lap.surgery.rules.place_config import place_config


def sampling_lap(layer, graph, sizes=(None, None)):
    """The LAP layer that starts as taking the pixels 0, s, 2s and so on.

    Args:
        layer: The layer whose `strides`, an integer or a pair, it takes over.
        graph: The `Graph` of the layer.
        sizes: Spatial sizes of the map it reads, `None` where unknown.

    Returns:
        A `Lap`, named `"<layer>_lap"`.
    """
    strides = standardize_sizes("strides", layer.strides, 2)
    divides = all(
        size is not None and size % stride == 0
        for size, stride in zip(sizes, strides, strict=True)
    )
    # One stride less a pixel keeps the last window, whatever the size.
    padding = "valid" if divides else tuple((0, s - 1) for s in strides)
    config = {
        **place_config(layer, graph.free_name(f"{layer.name}_lap"), "first"),
        "pool_size": strides,
        "padding": padding,
    }
    return Lap(LAPooling2D, layer, config)
