"""Question B: do explanations lie on what they should show?"""

from study_grid.page.compare_explainers import MODELS, compare_explainers
from study_grid.page.standing import Metric
from study_grid.validity import METRICS

TITLE = "Are explanations from inside more valid?"
AIM = (
    "LAP is first on every set by every metric, among explainers of the same network "
    "and beside those of the original one"
)


def section(results, sizes):
    """The `Section` of the question, from the `Results` of its cells."""
    return compare_explainers(
        results,
        [Metric(metric.__name__, is_higher_better=True) for metric in METRICS],
        MODELS,
        "validity",
        AIM,
        "How maps lie on the true mask of the class. `pointing_game`: share of images "
        "in which the map's maximum is inside; `energy_in_mask`: share of the map that "
        "is inside; `iou_at_equal_area`: overlap with as many of the map's highest "
        "pixels. LAP was told masks of some of the training images; the others explain "
        "a network that was told the same, or the original one, which was not. Where "
        "an explainer of the original is behind, part of it may be that the original "
        "looks elsewhere.",
    )
