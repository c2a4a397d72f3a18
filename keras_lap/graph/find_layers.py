"""LAP layers of a model by the names that lead to them."""

from keras_lap.utils.names import check_names, listed


def standardize_layers(layers):
    """The argument `layers`, names or paths of LAP layers, as a list; `None` for all.

    Raises:
        ValueError: If it is an empty list.
    """
    layers = None if layers is None else listed(layers)
    if layers == []:
        raise ValueError(
            "Expected `layers` to be a non-empty list of names of LAP layers, or None "
            "for all. Received: layers=[]"
        )
    return layers


def find_layers(model, addresses, layers):
    """Those of a model's LAP layers that are meant by some addresses.

    They choose from what maps and losses would take all of anyhow. So a name of several
    layers chooses them all; for `Addresses`, which says what to change, it is an error.

    Args:
        model: A `keras.Model`.
        addresses: One or a list of strings, each the name of a layer, or its path: the
            names of the nested models and layers that it is in, from the outermost one
            inside of `model`, and its own, joined by slashes, as in
            `"backbone/pool1"`. A name that several layers have stands for all of them.
        layers: List of the LAP layers to choose from.

    Returns:
        List of layers, in the order of `layers`.

    Raises:
        ValueError: If nothing is at an address, with near ones.

    Example:

    >>> import keras, keras_lap
    >>> from keras_lap.graph.find_layers import find_layers
    >>> pool = keras_lap.LAPooling2D(2, name="pool")
    >>> backbone = keras.Sequential([keras.Input((8, 8, 3)), pool], name="backbone")
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), backbone])
    >>> find_layers(model, "backbone/pool", [pool]) == [pool]
    True
    """
    addresses = listed(addresses)
    leading_to = {id(layer): [layer.name] for layer in layers}
    for inner, path in _paths(model):
        if id(inner) in leading_to:
            leading_to[id(inner)].append(path)
    known = [address for found in leading_to.values() for address in found]
    check_names(
        "`layers` to be names of LAP layers, or paths to them",
        addresses,
        dict.fromkeys(known),
    )
    return [layer for layer in layers if set(leading_to[id(layer)]) & set(addresses)]


def _paths(layer, above=""):
    """Pairs of every layer inside of one and its path there."""
    for inner in layer._layers:
        path = above + inner.name
        yield inner, path
        yield from _paths(inner, f"{path}/")
