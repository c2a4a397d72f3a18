"""Why subclasses of the layers that rules are for stay."""

from keras_lap.graph.windows_of import CONVOLUTIONS, windows_of
from keras_lap.surgery.rules.global_pooling_rule import GlobalPoolingRule
from keras_lap.surgery.rules.pooling_rule import PoolingRule

_KINDS = {*CONVOLUTIONS, *PoolingRule.bases, *GlobalPoolingRule.bases}


def subclass_reason(layer):
    """Why a layer without a rule stays that is made from one of Keras with a rule.

    Args:
        layer: A layer, or another operation.

    Returns:
        The reason, or `None` for other layers, and where it has a stride of 1.
    """
    kind = next((each for each in type(layer).__mro__ if each in _KINDS), None)
    windows = windows_of(layer)
    if kind is None or (windows and max(windows.strides) == 1):
        return None
    return (
        f"it is of class {type(layer).__name__}, which may compute something else than "
        f"the {kind.__name__} it is made from: register a rule for it by "
        "`keras_lap.surgery.register_rule`"
    )
