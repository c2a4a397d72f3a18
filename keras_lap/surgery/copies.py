"""Copies of single layers: settings first, then, once built, their state."""

from keras import layers


def copy_operation(operation, **changes):
    """A new layer or operation with the settings of a given one.

    Args:
        operation: A layer, or an operation such as the one behind `x + y`.
        **changes: Settings that the copy has otherwise.

    Returns:
        The copy, without the weights.

    Raises:
        ValueError: If it cannot be rebuilt from its own `get_config`.
    """
    config = {**operation.get_config(), **changes}
    if isinstance(operation, layers.Lambda):
        copy = type(operation).from_config(config, safe_mode=False)
        # A Python lambda comes back from its config without its global names.
        copy.function = operation.function
        return copy
    try:
        return type(operation).from_config(config)
    except Exception as error:
        raise ValueError(
            "Expected every layer to be rebuilt by its `from_config(get_config())`. "
            f"Received: layer {operation.name!r} of class "
            f"{type(operation).__name__}, for which this failed with "
            f"{type(error).__name__}: {error}. Make its `get_config` return the "
            "arguments of its constructor."
        ) from error


def copy_state(layer, copy):
    """Copies weights and other variables, and which of them are trainable.

    Args:
        layer: A built layer.
        copy: A built layer of the same structure.
    """
    parts = list(zip(layer._flatten_layers(), copy._flatten_layers(), strict=True))
    for part, twin in parts:
        store = {}
        part.save_own_variables(store)
        if store:
            twin.load_own_variables(store)
        twin.trainable = part.trainable
    for part, twin in parts:
        for weight, twin_weight in zip(part.weights, twin.weights, strict=True):
            twin_weight.trainable = weight.trainable
