"""Question C: do explanations say what the network used?"""

from study_grid.explain_cell import SAME_MODEL, SANITY
from study_grid.page.compare_explainers import compare_explainers
from study_grid.page.standing import Metric

TITLE = "Are explanations from inside more faithful?"
METRICS = (
    Metric("insertion", is_higher_better=True),
    Metric("deletion", is_higher_better=False),
    Metric("road", is_higher_better=False),
    Metric("mu_fidelity", is_higher_better=True),
    Metric(SANITY, is_higher_better=False, is_judged=False),
)
AIM = "LAP is first on every set by every metric, among explainers of the same network"


def section(results, sizes):
    """The `Section` of the question, from the `Results` of its cells."""
    return compare_explainers(
        results,
        METRICS,
        (SAME_MODEL,),
        "faithfulness",
        AIM,
        "How well maps tell which pixels the answer depends on. `insertion` and "
        "`deletion`: area under the curve of the class's probability while pixels are "
        "put in or taken out, most important first; `road`: the same for taking out "
        "with noisy interpolation in their place; `mu_fidelity`: correlation of what "
        f"the map says of sets of {sizes.grid}x{sizes.grid} cells with what taking "
        "them out does. "
        "`parameter_randomisation` is a check of sanity: similarity to the map of the "
        f"network with all of its weights drawn anew, on {sizes.randomised} images at "
        "most; a map that stays the same has not seen the weights. It is shown, and no "
        "part of the aim. Curves of two networks say more of the networks than of the "
        "explanations, so that LAP is judged on the LAP network alone. In "
        "some networks the true masks fare no better by `deletion` and `road`: "
        "[what they measure once the map is gone]"
        "(../benchmarks/RESULTS.md#what-deletion-and-road-measure-once-the-map-is-gone).",
    )
