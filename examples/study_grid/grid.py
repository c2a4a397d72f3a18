"""The cells of the study."""

from study_grid import arms
from study_grid.cell import COST, EXPLAIN, TRAIN, Cell
from study_grid.sets import SETS

# Sets and families of the questions that are not asked of all. In the families named
# here the network takes the shortcut of `decoy`; InceptionV3 learns the digits anyway.
KNOWLEDGE_SET, KNOWLEDGE_FAMILY = "decoy", "ResNet50V2"
MAX_POOLING_FAMILIES = "InceptionV3", "ResNet50V2"
ABLATION_SET, ABLATION_FAMILY = "decoy", "MobileNetV2"
ATTRIBUTE_SET = "beetles"
COST_SET = "clutter"
QUESTIONS = "ABCDEF"


def cells(questions, sets, families, seeds, chosen=None):
    """The cells that answer questions, in the order in which they are computed.

    Args:
        questions: Letters out of `QUESTIONS`.
        sets: Names of data sets.
        families: Names of families of networks.
        seeds: Seeds, from 0; all of the first one comes before the next. What the aim
            of D is about has as many more.
        chosen: Names of the only arms, `None` for all.

    Returns:
        A list of `Cell`s, each once.
    """
    asked = [
        cell
        for seed in seeds
        for question in questions
        for cell in _ASKED[question](sets, families, seed)
    ]
    judged = arms.LAP_FEW_MASKS.name
    if "D" in questions and (chosen is None or judged in chosen):
        for seed in seeds:
            asked += _aim_of_knowledge(sets, families, max(seeds) + 1 + seed)
    return [
        cell for cell in dict.fromkeys(asked) if chosen is None or cell.arm in chosen
    ]


def _accuracy(sets, families, seed):
    for name in sets:
        for family in families:
            for arm in arms.ACCURACY:
                if SETS[name].has_masks or arm.told is None:
                    yield Cell(TRAIN, name, family, seed, arm.name)


def _explanations(sets, families, seed):
    for name in sets:
        for family in families:
            # Without masks, labels tie concepts to classes.
            told = arms.LAP_MASKS_TUNED if SETS[name].has_masks else arms.LAP_LABELS
            yield Cell(EXPLAIN, name, family, seed, told.name)


def _knowledge(sets, families, seed):
    chosen = (*arms.KNOWLEDGE, *arms.CONVERTED_OTHERWISE)
    yield from _of(KNOWLEDGE_SET, KNOWLEDGE_FAMILY, chosen, sets, families, seed)
    yield from _aim_of_knowledge(sets, families, seed)


def _aim_of_knowledge(sets, families, seed):
    """The network that is judged, and what is honestly to be reached."""
    twin = SETS[KNOWLEDGE_SET].twin
    for name, arm in ((KNOWLEDGE_SET, arms.LAP_FEW_MASKS), (twin, arms.ORIGINAL_TUNED)):
        chosen = (arms.ORIGINAL, arm)
        yield from _of(name, KNOWLEDGE_FAMILY, chosen, sets, families, seed)


def _ablations(sets, families, seed):
    chosen = (*arms.ABLATIONS, *arms.LOSSES)
    yield from _of(ABLATION_SET, ABLATION_FAMILY, chosen, sets, families, seed)
    yield from _of(
        ATTRIBUTE_SET, ABLATION_FAMILY, arms.ATTRIBUTES, sets, families, seed
    )
    chosen = (arms.LAP_MASKS_REPLACED_MAX,)
    for name in sets:
        for family in MAX_POOLING_FAMILIES:
            if SETS[name].has_masks:
                yield from _of(name, family, chosen, sets, families, seed)


def _costs(sets, families, seed):
    if seed == 0 and COST_SET in sets:
        for family in families:
            yield Cell(COST, COST_SET, family, seed, arms.LAP_MASKS_TUNED.name)


def _of(name, family, chosen, sets, families, seed):
    if name in sets and family in families:
        for arm in chosen:
            yield Cell(TRAIN, name, family, seed, arm.name)


_ASKED = {
    "A": _accuracy,
    "B": _explanations,
    "C": _explanations,
    "D": _knowledge,
    "E": _ablations,
    "F": _costs,
}
