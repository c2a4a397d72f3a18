"""What the results of a cell depend on, beside the code."""

import dataclasses
import hashlib
import json

from study_grid.arms import ARMS, GATES, ORIGINAL, ORIGINAL_TUNED
from study_grid.cell import COST, TRAIN
from study_grid.families import FAMILIES
from study_grid.sets import SETS

# Another one where the library reads other maps of ramps from the same networks.
_MAPS = "times certainty"
# What sizes change of a network that is trained; all of them change other cells.
_TRAINING = ("train", "tested", "epochs")
# Settings that came later count where they are not what all had before.
_LATER = {"first": GATES}
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
    parts = [*map(_settings, (*chosen, *_STARTS)), amounts]
    if cell.kind != COST and _maps_ramps(cell):
        parts.append(_MAPS)
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _settings(part):
    settings = dataclasses.asdict(part)
    for name, before in _LATER.items():
        if name in settings and settings[name] == before:
            del settings[name]
    return settings


def _maps_ramps(cell):
    """Whether maps of scores by a ramp are measured."""
    lap = ARMS[cell.arm].lap or {}
    return SETS[cell.set].has_masks and lap.get("score_activation") == "ramp"
