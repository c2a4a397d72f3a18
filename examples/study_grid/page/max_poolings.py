"""What changes where max poolings stay."""

from study_grid.arms import LAP_MASKS_KEPT_MAX, LAP_MASKS_TUNED, ORIGINAL_TUNED
from study_grid.cell import TRAIN
from study_grid.grid import KNOWLEDGE_FAMILY
from study_grid.page.estimate import differences, estimate
from study_grid.page.splits import judged_split, title_of
from study_grid.page.table import table, text, with_change
from study_grid.train_cell import QUALITY

ENERGY = {"metric": "energy_in_mask", "explainer": "LAP (flow)"}


def max_poolings(results):
    """What the page says of LAP in the place of max poolings, and in front of them.

    Args:
        results: The `Results` of all cells.

    Returns:
        A list of text.
    """
    found = results.where(kind=TRAIN, family=KNOWLEDGE_FAMILY)
    names = found.where(arm=LAP_MASKS_KEPT_MAX.name).distinct("set")
    header = [ORIGINAL_TUNED.name, LAP_MASKS_TUNED.name, LAP_MASKS_KEPT_MAX.name]
    return [
        f"Where max poolings stay, with LAP in front: *{LAP_MASKS_KEPT_MAX.name}*, of "
        f"{KNOWLEDGE_FAMILY}, beside *{LAP_MASKS_TUNED.name}*, which has LAP in their "
        "place and is told the same. Accuracy on test splits, and energy in the mask:",
        table(
            ["set", *header, *(f"energy, {title}" for title in header[1:])],
            [_row(found, name) for name in names],
        ),
    ]


def _row(found, name):
    split = judged_split(name)
    quality = {"metric": f"{QUALITY} on {split}", "explainer": ""}
    found = found.where(set=name)
    original = found.where(arm=ORIGINAL_TUNED.name, **quality).by("seed")
    return [
        title_of(name, split),
        text(estimate(original)),
        *_replaced_and_kept(found, quality),
        *_replaced_and_kept(found, ENERGY),
    ]


def _replaced_and_kept(found, what):
    replaced, kept = (
        found.where(arm=arm.name, **what).by("seed")
        for arm in (LAP_MASKS_TUNED, LAP_MASKS_KEPT_MAX)
    )
    change = estimate(differences(kept, replaced))
    return text(estimate(replaced)), with_change(estimate(kept), change)
