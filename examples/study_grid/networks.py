"""The network of an arm, before it is trained."""

import keras_lap
from study_grid.arms import STAYS, WEIGHS


def with_lap(network, arm, study_set):
    """The network with the LAP layers of an arm.

    The very first strided convolution stays, where LAP would cost most. Gates are
    closed, so that it computes what the network does, unless the arm has them open at
    once.
    """
    head = study_set.attributes if arm.has_attributes else study_set.classes
    plan = keras_lap.plan(
        network, concepts=head if arm.concepts == "everywhere" else 1, **arm.lap
    )
    stem = [row.layer for row in plan.rows if row.lap and row.kind == "Conv2D"][:1]
    plan = plan.skip(*stem)
    if arm.only is not None:
        plan = plan.only(arm.only)
    first = next(row.layer for row in plan.rows if row.lap)
    if arm.first == WEIGHS:
        plan = plan.set(first, gating=None)
    elif arm.first == STAYS:
        plan = plan.skip(first)
    if arm.concepts == "head":
        plan = plan.set("head_pool", concepts=head)
    converted = keras_lap.convert(network, plan)
    if arm.anneal == 0:
        for layer in keras_lap.lap_layers(converted):
            layer.gate.assign(1.0)
    return converted


def with_closed_gates(network):
    """The network with LAP layers that change nothing, for losses that ask for some."""
    return keras_lap.convert(network, concepts=1)
