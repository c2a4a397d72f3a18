"""Models that are called anew for their gradient, where scores would be lost."""

import keras


def check_not_recomputed(model, layers):
    """Refuses models and layers around LAP layers that Keras rematerializes.

    LAP layers themselves see to it that their scores are those of the first call. On
    torch the scores of a call that is repeated have their gradient.

    Args:
        model: A `keras.Model`.
        layers: List of its supervised LAP layers.

    Raises:
        ValueError: If the model, or a layer that holds one of them, was made inside of
            a `keras.RematScope` that may apply to it; with `"larger_than"` that is
            known only once there are images.
    """
    if keras.config.backend() == "torch":
        return
    recomputed = [
        part.name
        for part in model._flatten_layers()
        if _is_recomputed(part) and _holds_one_of(part, layers)
    ]
    if recomputed:
        raise ValueError(
            "Expected a model whose scores are computed once in a step, to supervise "
            f"them. Received {recomputed}, made inside of a `keras.RematScope`, which "
            "hold LAP layers and may be computed again for the gradient. Make the "
            "model, and the models in it, outside of the scope, and only their layers "
            "in it."
        )


def _is_recomputed(part):
    mode = part._remat_mode
    if mode is None:
        return False
    is_listed = mode.mode == "list_of_layers" and part.name in mode.layer_names
    return is_listed or mode.mode in ("full", "larger_than")


def _holds_one_of(part, layers):
    inside = part._flatten_layers(include_self=False)
    return any(one in layers for one in inside)
