"""The head of the page: what was run, and what it can show."""

from collections import Counter

from study_grid.grid import QUESTIONS, cells
from study_grid.page.table import table
from study_grid.page.verdict import RULE
from study_grid.sets import SETS

SPLITS = ("train", "validation", "test")


def head(sections, results, asked, counts, runs, sizes):
    """The blocks in front of the questions.

    Args:
        sections: Dict from titles to `Section`s, `None` for those without results.
        results: All `Results`.
        asked: Dict of the arguments of `grid.cells` behind the first.
        counts: Rows of `sets.csv`.
        runs: Rows of `runs.csv`.
        sizes: `Sizes` of the study.
    """
    wanted = set(cells(QUESTIONS, **asked))
    done = len(wanted & results.cells())
    seeds = ", ".join(map(str, asked["seeds"]))
    yield "# Does it hold?"
    yield (
        "Networks with and without Local Attention Pooling, trained, explained and "
        "measured side by side. The claim under test: explanations from inside are "
        "more valid and more faithful than those of the usual explainers, knowledge "
        "can be injected weakly, and accuracy does not suffer. This page is written "
        "by `python examples/study.py --page` from "
        "[the rows of results](study/results.csv), verdicts included."
    )
    yield table(
        ["question", "aim", "result"],
        [
            [title, *(_judged(found) if found else (None, "not computed yet"))]
            for title, found in sections.items()
        ],
    )
    yield RULE
    yield "## What was run"
    yield (
        f"{done} of {len(wanted)} cells of the grid are done: a network trained, a "
        "pair of networks explained, or costs measured. Families: "
        f"{', '.join(asked['families'])}, small networks out of Keras Applications. "
        f"Seeds: {seeds}. {_work(runs)}"
    )
    yield table(["set", "classes", *SPLITS], _sets(asked["sets"], counts))
    yield (
        f"Validity of LAP's maps alone is measured on the first {sizes.tested} images "
        f"of `test`, explainers are compared on at most {sizes.explained} of them per "
        f"pair of networks."
    )
    yield "## How to read it"
    yield (
        "- Whatever was chosen (options, weights of losses, epochs) was chosen on "
        "validation splits; all figures are of test splits.\n"
        "- `0.912 ± 0.013` is a mean and half of its 95 % interval by Student's t over "
        "runs: seeds, or families and seeds where they are pooled. A family is then "
        "taken for as good a sample as a seed. A single run has no interval and says "
        "`n = 1`.\n"
        "- In figures ticks are runs, dots their means, and bars the intervals.\n"
        "- Differences are between runs of the same family and seed. Intervals are not "
        "corrected for how many there are.\n"
        "- The networks are small and so are the images, most of them drawn for this "
        "library; seeds are few. That something holds here does not show that it holds "
        "for large networks and photographs.\n"
        "- Data sets, networks, options and losses are this library's own choice. No "
        "number on this page is from the paper on Local Attention Pooling, and none "
        "can be compared with it.\n"
        "- [What each run took](study/runs.csv), [images per set](study/sets.csv)."
    )


def _judged(section):
    if section.aim is None:
        return None, "no aim; see below"
    return section.aim, section.result


def _work(runs):
    if not runs:
        return "Nothing is known of the runs."
    hours = sum(float(run["seconds"]) for run in runs) / 3600
    dates = sorted(run["date"] for run in runs)
    period = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return (
        f"{hours:.1f} hours of work, {period}. Processors, with cells: "
        f"{_counted(run['processor'] for run in runs)}. Keras "
        f"{_counted(run['keras'] for run in runs)}, on "
        f"{_counted(run['backend'] for run in runs)}."
    )


def _counted(names):
    return ", ".join(
        f"{name} ({count})" for name, count in Counter(names).most_common()
    )


def _sets(names, counts):
    images = {(row["set"], row["split"]): row["images"] for row in counts}
    for name in names:
        yield [
            f"`{name}`",
            SETS[name].classes,
            *(images.get((name, split)) for split in SPLITS),
        ]
