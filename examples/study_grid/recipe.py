"""What the results of a cell depend on, beside the code."""

import dataclasses
import hashlib
import json

from study_grid.arms import ARMS, ORIGINAL, ORIGINAL_TUNED
from study_grid.cell import TRAIN
from study_grid.families import FAMILIES
from study_grid.sets import SETS
from study_grid.weights import WEIGHTS

# What sizes change of a network that is trained; all of them change other cells.
_TRAINING = ("train", "tested", "epochs")
# The networks that others start from, or are compared with.
_STARTS = ORIGINAL, ORIGINAL_TUNED


def recipe(cell, sizes):
    """A short digest of a cell's arm, family and data set, and of how much is done.

    Args:
        cell: A `Cell`.
        sizes: The `Sizes` of the study.

    Returns:
        A string, another one where any of these was changed; `None` if the study no
        longer has such an arm, family or data set.
    """
    try:
        chosen = ARMS[cell.arm], FAMILIES[cell.family], SETS[cell.set]
    except KeyError:
        return None
    amounts = dataclasses.asdict(sizes)
    for name in ("sets", "families", "arms"):
        del amounts[name]
    if cell.kind == TRAIN:
        amounts = {name: amounts[name] for name in _TRAINING}
    settings = map(dataclasses.asdict, (*chosen, *_STARTS))
    parts = [*settings, WEIGHTS.get(ARMS[cell.arm].told), amounts]
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
