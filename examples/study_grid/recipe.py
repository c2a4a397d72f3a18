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
_LATER = {"first": GATES, "keep_max": False}
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
    return _without_later(dataclasses.asdict(part))


def _without_later(settings):
    return {
        name: _without_later(value) if isinstance(value, dict) else value
        for name, value in settings.items()
        if name not in _LATER or value != _LATER[name]
    }


def _maps_ramps(cell):
    """Whether maps of scores by a ramp are measured."""
    lap = ARMS[cell.arm].lap or {}
    return SETS[cell.set].has_masks and lap.get("score_activation") == "ramp"
