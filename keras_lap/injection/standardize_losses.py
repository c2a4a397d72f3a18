"""Losses that a user gives."""

from keras_lap.injection.knowledge import FITTED
from keras_lap.injection.losses import BaseLoss, FunctionLoss


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
        if isinstance(loss, type) or not callable(loss):
            received = repr(loss)
            if isinstance(loss, type) and issubclass(loss, BaseLoss):
                received = f"the class {loss.__name__}. Make one, {loss.__name__}(...)"
            raise ValueError(
                "Expected `losses` to be a list of `keras_lap.losses` objects or "
                f"functions. Received: {received}"
            )
        loss = FunctionLoss(loss)
    if not set(loss.takes) <= set(FITTED):
        raise ValueError(
            f"Expected the loss {loss.name!r} to take knowledge out of {FITTED}. "
            f"Received: needs={loss.needs!r}, accepts={loss.accepts!r}"
        )
    return loss
