"""Losses that a user gives."""

import keras

from keras_lap.injection.knowledge import FITTED
from keras_lap.injection.losses.base_loss import BaseLoss
from keras_lap.injection.losses.function_loss import FunctionLoss


def standardize_losses(losses):
    """Checks the losses that a user gives.

    Args:
        losses: One or a list of `keras_lap.losses` objects, or of functions as
            `FunctionLoss` takes them.

    Returns:
        Non-empty list of losses of different names.

    Raises:
        ValueError: If there are none, or one is anything else, has the name of
            another, or takes knowledge that there is not.
    """
    losses = list(losses) if isinstance(losses, list | tuple) else [losses]
    losses = [_standardize_loss(loss) for loss in losses]
    names = [loss.name for loss in losses]
    if not names:
        raise ValueError("Expected at least one loss. Received: none")
    if len(set(names)) < len(names):
        raise ValueError(
            "Expected losses of different names, under which their terms are logged. "
            f"Received losses named: {names}. Name one of them yourself, as in "
            '`MaskSupervision("outside", name="outside")`.'
        )
    return losses


def _standardize_loss(loss):
    if not isinstance(loss, BaseLoss):
        if isinstance(loss, type | keras.losses.Loss) or not callable(loss):
            raise ValueError(
                "Expected `losses` to be a list of `keras_lap.losses` objects or "
                f"functions. Received: {_received(loss)}"
            )
        loss = FunctionLoss(loss)
    if not set(loss.takes) <= set(FITTED):
        raise ValueError(
            f"Expected the loss {loss.name!r} to take knowledge out of {FITTED}. "
            f"Received: needs={loss.needs!r}, accepts={loss.accepts!r}"
        )
    return loss


def _received(loss):
    """What was received in place of a loss, and what to do."""
    kind = loss if isinstance(loss, type) else type(loss)
    if issubclass(kind, keras.losses.Loss):
        return (
            f"{kind.__name__} of Keras, which compares outputs of the model with "
            "labels: pass it to `compile`. What concepts are there and where is taught "
            "by `keras_lap.losses`, such as ConceptLabels() and MaskSupervision()."
        )
    if issubclass(kind, BaseLoss):
        return f"the class {kind.__name__}. Make one, {kind.__name__}(...)"
    return repr(loss)
