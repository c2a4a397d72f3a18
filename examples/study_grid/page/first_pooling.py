"""What LAP in the first pooling costs, and what it is good for."""

from study_grid.arms import FIRST_POOLING, ORIGINAL_TUNED, SPARED
from study_grid.cell import TRAIN
from study_grid.grid import SPARED_FAMILY
from study_grid.page.accuracy import judged_split, title_of
from study_grid.page.estimate import differences, estimate
from study_grid.page.table import table, text, with_change
from study_grid.train_cell import QUALITY
from study_grid.validity import METRICS

MAPS = "LAP (flow)"
_VALIDITY = [metric.__name__ for metric in METRICS]


def first_pooling(results):
    """A paragraph and a table: networks with and without LAP in their first pooling.

    Args:
        results: `Results` of all cells.

    Returns:
        List of blocks in Markdown.
    """
    found = results.where(kind=TRAIN, family=SPARED_FAMILY)
    return [
        f"{SPARED_FAMILY} with LAP in its first pooling, `{FIRST_POOLING}`, and with "
        "this pooling as it was, fine-tuned and told masks. *Points* are hundredths "
        f"against *{ORIGINAL_TUNED.name}*. In brackets, the difference to the network "
        "with LAP in all of its poolings:",
        table(
            ["set", "", "accuracy", "points", *(f"`{name}`" for name in _VALIDITY)],
            [
                row
                for name in found.distinct("set")
                for pair in SPARED
                for row in _rows(found.where(set=name), name, pair)
            ],
        ),
    ]


def _rows(found, name, pair):
    """Rows of two arms on a data set, none where the second one was not trained."""
    split = judged_split(name)
    quality = f"{QUALITY} on {split}"
    original = _values(found, ORIGINAL_TUNED, quality)
    base, spared = pair
    if not _values(found, spared, quality):
        return
    for arm in pair:
        own = _values(found, arm, quality)
        points = {run: 100 * value for run, value in differences(own, original).items()}
        yield [
            title_of(name, split),
            arm.name,
            _cell(found, arm, base, quality),
            text(estimate(points), 1, signed=True),
            *(_cell(found, arm, base, metric, MAPS) for metric in _VALIDITY),
        ]


def _cell(found, arm, base, metric, explainer=""):
    own, other = (_values(found, each, metric, explainer) for each in (arm, base))
    change = None if arm is base else estimate(differences(own, other))
    return with_change(estimate(own), change)


def _values(found, arm, metric, explainer=""):
    """Dict from seeds to numbers."""
    return found.where(arm=arm.name, metric=metric, explainer=explainer).by("seed")
