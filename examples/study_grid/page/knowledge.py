"""Question D: how much does a network have to be told?"""

from study_grid.arms import (
    CONVERTED_OTHERWISE,
    KNOWLEDGE,
    LAP_FEW_MASKS,
    ORIGINAL,
    ORIGINAL_TUNED,
)
from study_grid.cell import TRAIN
from study_grid.grid import KNOWLEDGE_FAMILY, KNOWLEDGE_SET
from study_grid.page.draw_knowledge import draw_knowledge
from study_grid.page.estimate import estimate
from study_grid.page.section import Section, picture
from study_grid.page.table import table, text
from study_grid.page.verdict import judge
from study_grid.sets import SETS
from study_grid.train_cell import QUALITY

TITLE = "Can knowledge be injected weakly?"
TWIN = SETS[KNOWLEDGE_SET].twin
# Told nothing of places: lines in the figure.
LABELS = "labels"
JUDGED, LIMIT = LAP_FEW_MASKS, 0.9
SHOWN = (*KNOWLEDGE, *CONVERTED_OTHERWISE)
AIM = (
    f"masks of {100 * JUDGED.share:g} % of the images lead under shift to {LIMIT:g} of "
    "the reference without the shortcut"
)
WAYS = {
    "masks": "LAP + masks",
    "boxes": "LAP + boxes",
    "RRR": "RRR",
    "GAIN": "GAIN",
}
MAPS = "LAP (flow)"
UNKNOWN = "not computed yet"


def section(results, sizes):
    """The `Section` of the question, from the `Results` of its cells."""
    found = results.where(kind=TRAIN, family=KNOWLEDGE_FAMILY)
    reference = _values(found, ORIGINAL_TUNED, f"{QUALITY} on test", TWIN)
    shifted = {
        arm.name: _values(found, arm, f"{QUALITY} on test_shifted") for arm in SHOWN
    }
    reached = estimate(_ratios(shifted[JUDGED.name], reference))
    rows = [
        [
            arm.name,
            _told(arm),
            str(len(shifted[arm.name])),
            text(estimate(_values(found, arm, f"{QUALITY} on test"))),
            text(estimate(shifted[arm.name])),
            text(estimate(_ratios(shifted[arm.name], reference))),
            *(
                text(estimate(_values(found, arm, metric, explainer=MAPS)))
                for metric in ("pointing_game", "energy_in_mask")
            ),
        ]
        for arm in SHOWN
    ]
    header = ["", "images told of", "seeds", "accuracy on `test`", "on `test_shifted`"]
    return Section(
        blocks=[
            f"{KNOWLEDGE_FAMILY} on `{KNOWLEDGE_SET}`, where a patch in a corner tells "
            "the label in `train` and `test`, and is random in `test_shifted`. All "
            "networks are fine-tuned from the one that has learned the shortcut. The "
            f"reference without the shortcut is *{ORIGINAL_TUNED.name}* on `{TWIN}`, "
            f"the same images without a patch: {text(estimate(reference)) or UNKNOWN}. "
            f"It is told no masks, and trained for {_epochs(TWIN, sizes)} epochs, from "
            f"scratch and on, where those on `{KNOWLEDGE_SET}` are for "
            f"{_epochs(KNOWLEDGE_SET, sizes)}. It is no upper bound: who is told masks "
            "may exceed it, with a ratio above 1. RRR is *right for the right "
            "reasons*, a loss on the gradient of the image (Ross et al., 2017); GAIN "
            "is a loss on the Grad-CAM map (Li et al., 2018). Both are told the same "
            "masks as LAP, with one setting each, while the options of LAP were "
            f"developed on `validation` of `{KNOWLEDGE_SET}`: that favours LAP. Seeds "
            "that other arms do not have were added once, after those that they have "
            "had left the aim open.",
            table(
                [
                    *header,
                    "ratio to the reference",
                    "pointing game",
                    "energy in the mask",
                ],
                rows,
            ),
            _answer(reached),
            picture("knowledge", "Accuracy under shift against the share told of"),
        ],
        figures={
            "knowledge": draw_knowledge(
                {
                    title: {
                        arm.share: shifted[arm.name]
                        for arm in KNOWLEDGE
                        if arm.told == told
                    }
                    for told, title in WAYS.items()
                },
                {
                    f"reference, on {TWIN}": reference,
                    **{
                        arm.name: shifted[arm.name]
                        for arm in KNOWLEDGE
                        if arm.told in (None, LABELS)
                    },
                },
            )
        },
        aim=AIM,
        verdict=judge(reached, LIMIT),
    )


def _values(found, arm, metric, name=KNOWLEDGE_SET, explainer=""):
    """Dict from seeds to numbers."""
    rows = found.where(set=name, arm=arm.name, metric=metric, explainer=explainer)
    return rows.by("seed")


def _ratios(first, second):
    return {run: first[run] / second[run] for run in first if run in second}


def _epochs(name, sizes):
    """Epochs from scratch and of fine-tuning, as text."""
    parts = (sizes.epochs_of(arm, SETS[name]) for arm in (ORIGINAL, ORIGINAL_TUNED))
    return " + ".join(map(str, parts))


def _told(arm):
    return None if arm.told in (None, LABELS) else f"{100 * arm.share:g} %"


def _answer(reached):
    if reached is None:
        return f"The network of *{JUDGED.name}* or its reference is {UNKNOWN}."
    alone = " One run: no interval." if reached.half_width is None else ""
    return (
        f"With masks of {100 * JUDGED.share:g} % of the images the network reaches "
        f"{text(reached)} of the reference under shift; the aim is {LIMIT:g}.{alone}"
    )
