"""Question A: does accuracy suffer?"""

from study_grid.arms import ACCURACY
from study_grid.cell import TRAIN
from study_grid.page.draw_dots import Panel, draw_dots
from study_grid.page.estimate import differences, estimate
from study_grid.page.section import Section, picture
from study_grid.page.splits import judged_split, title_of
from study_grid.page.table import table, text
from study_grid.page.verdict import judge, overall
from study_grid.sets import SETS
from study_grid.train_cell import QUALITY

TITLE = "Does accuracy suffer?"
# Each arm with LAP beside the one without that started and was trained in the same way.
PAIRS = tuple(
    (arm, base) for base, *changed in (ACCURACY[:3], ACCURACY[3:]) for arm in changed
)
LIMIT = -1.0
AIM = (
    f"on every set, all of the interval lies above {LIMIT:g} point; judged without the "
    "shortcut where a set has one"
)
EVERYTHING = "all families"


def section(results, sizes):
    """The `Section` of the question, from the `Results` of its cells."""
    found = results.where(kind=TRAIN)
    tested = [
        (name, split)
        for name in found.distinct("set")
        for split in dict.fromkeys(("test", judged_split(name)))
    ]
    verdicts, summary = [], []
    for name, split in tested:
        judged = [_judged(found, pair, name, split) for pair in PAIRS]
        summary.append([title_of(name, split), *(cell for cell, _ in judged)])
        if split == judged_split(name):
            verdicts += [verdict for _, verdict in judged]
    names = [f"{arm.name} - {base.name}" for arm, base in PAIRS]
    shortcuts = [f"`{name}`" for name in found.distinct("set") if SETS[name].shifted]
    remark = (
        f"In {', '.join(shortcuts)} the split `test` holds the shortcut, and a network "
        "that gives it up must lose there. What is judged is `test_shifted`, which "
        "lacks it; `test` is shown, and not judged."
    )
    return Section(
        blocks=[
            "Accuracy, or mean average precision where an image has several labels "
            "(mAP), on the test splits. *LAP* is told labels alone; *LAP + masks* is "
            f"told masks of {100 * ACCURACY[-1].share:g} % of the training images. The "
            "first three networks are trained from scratch; those that are *tuned* all "
            "go on from the first one, for as many steps each.",
            table(
                ["set", "family", *(arm.name for arm in ACCURACY)],
                _levels(found, tested),
            ),
            "Differences between networks of the same seed, in points (hundredths), "
            "over all families, and whether the aim is met:",
            table(["set", *names], summary),
            *([remark] if shortcuts else []),
            "The same for each family:",
            table(["set", "family", *names], _changes(found, tested)),
            "The splits that are judged, drawn; each panel has an axis of its own:",
            picture("accuracy", "Differences of accuracy per set, family and seed"),
        ],
        figures={"accuracy": _draw(found)},
        aim=AIM,
        verdict=overall(verdicts),
    )


def _quality(found, arm, name, split):
    """Dict from families and seeds to shares."""
    chosen = found.where(set=name, arm=arm.name, metric=f"{QUALITY} on {split}")
    return chosen.by("family", "seed")


def _points(found, pair, name, split):
    first, second = (_quality(found, arm, name, split) for arm in pair)
    return {run: 100 * each for run, each in differences(first, second).items()}


def _of(family, values):
    return {run: value for run, value in values.items() if run[0] == family}


def _judged(found, pair, name, split):
    change = estimate(_points(found, pair, name, split))
    verdict = judge(change, LIMIT)
    if change is None:
        return None, verdict
    written = text(change, 1, signed=True)
    is_judged = split == judged_split(name)
    return f"{written}: {verdict}" if is_judged else written, verdict


def _levels(found, tested):
    for name, split in tested:
        values = [_quality(found, arm, name, split) for arm in ACCURACY]
        yield from _per_family(name, split, values)


def _changes(found, tested):
    for name, split in tested:
        values = [_points(found, pair, name, split) for pair in PAIRS]
        yield from _per_family(name, split, values, digits=1, signed=True)


def _per_family(name, split, columns, **style):
    """A row for each family that there are values of."""
    for family in sorted({run[0] for values in columns for run in values}):
        cells = [text(estimate(_of(family, values)), **style) for values in columns]
        yield [title_of(name, split), family, *cells]


def _draw(found):
    families = found.distinct("family")

    def panel(name, pairs, start):
        split, series = judged_split(name), {}
        for pair in pairs:
            values = _points(found, pair, name, split)
            by_family = {family: _of(family, values) for family in families}
            # From scratch and tuned have the same colours.
            arm = pair[0].name.removesuffix(", tuned")
            series[arm] = {**by_family, EVERYTHING: values}
        title = f"{name}, {split}\n{start}"
        return Panel(title, "points", series, lines=(0, LIMIT))

    return draw_dots(
        [
            [panel(name, pairs, start) for name in found.distinct("set")]
            for pairs, start in ((PAIRS[:2], "from scratch"), (PAIRS[2:], "tuned"))
        ],
        [*families, EVERYTHING],
        shares_axis=False,
    )
