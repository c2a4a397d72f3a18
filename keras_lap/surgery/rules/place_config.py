"""What every rule decides alike of a LAP layer."""


def place_config(layer, name, base):
    """Name, dtype policy, layout and base of the LAP layer made for a layer.

    Args:
        layer: The layer of the given model.
        name: Name of the LAP layer.
        base: `"max"`, `"avg"` or `"first"`: what the LAP layer starts as.

    Returns:
        A dict of arguments of its constructor.
    """
    return {
        "name": name,
        "dtype": layer.dtype_policy,
        "data_format": getattr(layer, "data_format", None),
        "base": base,
    }
