"""Copies of single layers: settings first, then, once built, their state."""

import contextlib
import tempfile

import keras
from keras import layers, ops


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
    try:
        config = {**operation.get_config(), **changes}
        with rematerialized_as(operation):
            if not isinstance(operation, layers.Lambda | layers.TFSMLayer):
                return type(operation).from_config(config)
            copy = type(operation).from_config(config, safe_mode=False)
    except Exception as error:
        raise ValueError(
            "Expected every layer to be rebuilt by its `from_config(get_config())`. "
            f"Received: layer {operation.name!r} of class "
            f"{type(operation).__name__}, for which this failed with "
            f"{type(error).__name__}: {error}. {_advice(operation)}"
        ) from error
    if isinstance(operation, layers.Lambda):
        # Python lambdas come back from their config without their global names.
        copy.function, copy.mask = operation.function, operation.mask
        copy._output_shape = operation._output_shape
    return copy


def rematerialized_as(operation):
    """A context in which layers are made that rematerialise as a given one does."""
    mode = getattr(operation, "_remat_mode", None)
    if mode is None:
        return contextlib.nullcontext()
    return keras.RematScope(**mode._asdict())


def copy_state(layer, copy):
    """Copies weights, other variables and vocabularies.

    Weights are trainable in the copy as they are, and regularised and constrained by
    the same objects, which whoever holds them can go on setting.

    Args:
        layer: A built layer.
        copy: A built layer of the same structure.

    Raises:
        ValueError: If a layer inside it is inside its copy too, or was quantised, of
            which its config knows nothing.
    """
    parts = list(zip(layer._flatten_layers(), copy._flatten_layers(), strict=True))
    for part, twin in parts:
        _check_is_copied(layer, part, twin)
        _check_quantisation(layer, part, twin)
        has_low_rank = getattr(part, "lora_enabled", False)
        if has_low_rank:
            if not twin.lora_enabled:
                twin.enable_lora(part.lora_rank)
            # Some layers do not build themselves with it.
            twin.lora_alpha = part.lora_alpha
        store = {}
        part.save_own_variables(store)
        if store:
            twin.load_own_variables(
                {name: copied_value(value) for name, value in store.items()}
            )
        if _has_assets(part):
            with tempfile.TemporaryDirectory() as folder:
                part.save_assets(folder)
                twin.load_assets(folder)
        if has_low_rank:
            # What it saves has its low-rank update merged into the kernel.
            for weight, twin_weight in zip(part.weights, twin.weights, strict=True):
                twin_weight.assign(copied_value(weight))
        twin.trainable = part.trainable
    for part, twin in parts:
        for weight, twin_weight in zip(part.weights, twin.weights, strict=True):
            twin_weight.trainable = weight.trainable
            # Layers that were quantised to floats make their weights in another order.
            if weight.name == twin_weight.name:
                twin_weight.regularizer = weight.regularizer
                twin_weight.constraint = weight.constraint


def copied_value(variable):
    """The value of a variable, in memory of its own.

    On JAX a variable that is assigned another would share its array, which the training
    of one of the two then deletes.

    Returns:
        A tensor.
    """
    return ops.copy(variable)


def _check_is_copied(layer, part, twin):
    if part is not twin:
        return
    raise ValueError(
        "Expected every layer to be rebuilt with layers of its own inside. Received: "
        f"{part.name!r} ({type(part).__name__}) inside {layer.name!r} "
        f"({type(layer).__name__}), which comes back from its config as the same "
        "object. Make its `get_config` return `keras.saving.serialize_keras_object` of "
        "a layer, of which its `from_config` makes a new one by "
        "`keras.saving.deserialize_keras_object`."
    )


def _check_quantisation(layer, part, twin):
    mode = getattr(part, "quantization_mode", None)
    if mode == getattr(twin, "quantization_mode", None):
        return
    raise ValueError(
        "Expected the config of a layer to say how those inside it are quantised. "
        f"Received: {part.name!r} ({type(part).__name__}), quantised to {mode!r}, "
        f"inside {layer.name!r} ({type(layer).__name__}), whose config does not, so "
        "that Keras cannot save and reload it either. Take the model as it was before, "
        "and quantise the result."
    )


def _has_assets(layer):
    """Whether a layer has files to copy; a lookup without words cannot load its."""
    if not hasattr(layer, "save_assets"):
        return False
    return not hasattr(layer, "get_vocabulary") or bool(
        layer.get_vocabulary(include_special_tokens=False)
    )


def _advice(operation):
    advice = (
        "Register the functions and classes that it holds by "
        "`keras.saving.register_keras_serializable`; a lambda has to become a function "
        "with a name first."
    )
    if type(operation).__module__.partition(".")[0] != "keras":
        advice += " Make its `get_config` return the arguments of its constructor."
    return advice
