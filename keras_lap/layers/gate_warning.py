"""Whether the LAP layers of a model decide by themselves what gets through."""

from keras import ops


class ClosedGateWarning(UserWarning):
    """Maps show what scores would let through, and other pooling still decides."""


def gates_of(layers):
    """How far the gates of LAP layers are open: a list of floats, one for each gate."""
    return [
        float(ops.convert_to_numpy(ops.cast(layer.gate, "float32")))
        for layer in layers
        if layer.gate is not None
    ]


def gate_warning(layers):
    """What to say if other pooling still decides beside LAP layers.

    Args:
        layers: List of LAP layers.

    Returns:
        A string, or `None` if the gates of all are open.
    """
    closed = [gate for gate in gates_of(layers) if gate < 1]
    if not closed:
        return None
    return (
        f"The gates of {len(closed)} of the {len(layers)} LAP layers are not open: "
        f"the lowest is {min(closed):.3g} of 1. As far as a gate is closed, the "
        "base pooling decides, in a converted model that which stood there before, and "
        "maps show what the scores would let through. Train the model with "
        "`keras_lap.callbacks.GateAnneal`."
    )
