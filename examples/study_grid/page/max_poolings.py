"""What changes where LAP takes the place of max poolings."""

from study_grid.arms import LAP_MASKS_REPLACED_MAX, LAP_MASKS_TUNED, ORIGINAL_TUNED
from study_grid.cell import TRAIN
from study_grid.page.estimate import differences, estimate
from study_grid.page.splits import judged_split, title_of
from study_grid.page.table import table, text, with_change
from study_grid.train_cell import QUALITY

ARMS = ORIGINAL_TUNED, LAP_MASKS_REPLACED_MAX, LAP_MASKS_TUNED
ENERGY = {"metric": "energy_in_mask", "explainer": "LAP (flow)"}


def max_poolings(results):
    """What the page says of LAP in the place of max poolings, and in front of them.

    Args:
        results: The `Results` of all cells.

    Returns:
        A list of text.
    """
    found = results.where(kind=TRAIN)
    replaced = found.where(arm=LAP_MASKS_REPLACED_MAX.name)
    rows = [
        _row(found.where(set=name, family=family), name, family)
        for name in replaced.distinct("set")
        for family in replaced.where(set=name).distinct("family")
    ]
    if not rows:
        return []
    header = [ORIGINAL_TUNED.name, "replaced", "kept", "kept - replaced"]
    return [
        f"Max poolings that LAP replaces (*{LAP_MASKS_REPLACED_MAX.name}*), and that "
        f"are kept, with LAP in front (*{LAP_MASKS_TUNED.name}*, told the same). "
        "Accuracy on test splits, in brackets the difference to "
        f"*{ORIGINAL_TUNED.name}*; and energy in the mask, in brackets that to "
        "*replaced*:",
        table(
            ["set", "family", *header, *(f"energy, {title}" for title in header[1:3])],
            rows,
        ),
    ]


def _row(found, name, family):
    split = judged_split(name)
    quality = {"metric": f"{QUALITY} on {split}", "explainer": ""}
    original, replaced, kept = (found.where(arm=arm.name) for arm in ARMS)
    first, *others = (
        each.where(**quality).by("seed") for each in (original, replaced, kept)
    )
    energies = [each.where(**ENERGY).by("seed") for each in (replaced, kept)]
    return [
        title_of(name, split),
        family,
        text(estimate(first)),
        *(_beside(values, first) for values in others),
        text(estimate(differences(*reversed(others))), signed=True),
        text(estimate(energies[0])),
        _beside(energies[1], energies[0]),
    ]


def _beside(values, others):
    return with_change(estimate(values), estimate(differences(values, others)))
