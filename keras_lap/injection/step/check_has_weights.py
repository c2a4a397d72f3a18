"""Steps that ask for a loss where the model has no weights."""

import keras


def check_has_weights(model):
    """Refuses to call a model whose weights are elsewhere, as during a step on JAX.

    There they are the arguments of `stateless_call` and `stateless_compute_loss`.

    Raises:
        ValueError: If they are.
    """
    if keras.config.backend() != "jax":
        return
    try:
        for variable in model.variables[:1]:
            _ = variable.value
    except TypeError as error:
        raise ValueError(
            "Expected a step that computes its loss by `stateless_compute_loss`, for "
            "losses that call the model once more, such as Necessity, Sufficiency and "
            f"RightReasons. Received {model.name!r} of type {type(model).__name__}, "
            "whose step calls `compute_loss`, for which it has no weights on JAX."
        ) from error
