"""The head of the page: what was run, and what it can show."""

from collections import Counter

import numpy as np

from study_grid.arms import ORIGINAL, ORIGINAL_TUNED
from study_grid.grid import QUESTIONS, cells
from study_grid.page.compare_explainers import images_per_run
from study_grid.page.estimate import LEAST_FAMILIES
from study_grid.page.table import table
from study_grid.page.verdict import RULE
from study_grid.sets import SETS
from study_grid.training import BATCH_SIZE, LEARNING_RATE, LEAST_TOLD
from study_grid.weights import WEIGHTS

SPLITS = ("train", "validation", "test")
# Whose validation splits LAP's options were chosen on.
DEVELOPED_ON = ("clutter", "decoy", "crowded", "beetles")


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
        f"Seeds: {seeds}, and as many more for the aim of D. {_work(runs)}"
    )
    yield "Numbers of images and epochs per set:"
    yield table(
        ["set", "classes", *SPLITS, "epochs from scratch", "of fine-tuning"],
        _sets(asked["sets"], counts, sizes),
    )
    yield (
        f"All are trained by Adam, in batches of {BATCH_SIZE}, with a learning rate "
        f"that rises to {LEARNING_RATE:g} and falls to 0 as a cosine does. What a "
        "network is told beside labels has a single weight in the loss, for all sets "
        "and families, divided by the share of a batch that is told of: "
        f"{_weights()}. That share is at least {LEAST_TOLD:g}: where fewer images are "
        "told of, they take the place of others until they are as many in every batch."
    )
    yield (
        'Networks that are told places are converted by `preset="places"`, so that max '
        "poolings stay, behind LAP (`keep_max`). LAP takes their places in the last "
        "three rows of D, and where E says so."
    )
    yield (
        "LAP does not meet its competitors on equal terms: its options, losses and "
        "weights were chosen over the development of the whole library, on validation "
        f"splits of {', '.join(f'`{name}`' for name in DEVELOPED_ON)}, while RRR and "
        "GAIN got the one setting that is named here."
    )
    yield (
        f"Validity of LAP's maps alone is measured on the first {sizes.tested} images "
        f"of `test`, explainers are compared on at most {sizes.explained} of them per "
        f"pair of networks."
    )
    yield "## How to read it"
    images = images_per_run(results) or "few"
    alone = " Here is one seed, so that nothing of a single family has an interval."
    alone = alone if len(asked["seeds"]) == 1 else ""
    yield (
        "- Whatever was chosen (options, weights of losses, epochs) was chosen on "
        "validation splits; all figures are of test splits.\n"
        "- `0.912 ± 0.013` is a mean and half of its 95 % interval by Student's t, "
        "over seeds of one family. Over several families it is the mean of their "
        "means, and the interval is that of so many numbers as there are families, "
        f"however many seeds each has; fewer than {LEAST_FAMILIES} have none.\n"
        f"- One run: no interval. It says `n = 1`, and two families `n = 2`.{alone}\n"
        "- Intervals cover what training changes (seeds, and families where there are "
        "several), not the choice of test images: all runs take them from the same "
        f"split. B and C rest on {images} images per run.\n"
        "- In figures ticks are runs, dots their means, and bars the intervals.\n"
        "- Differences are between runs of the same family and seed. Intervals are not "
        "corrected for how many there are.\n"
        "- In B and C, LAP is held against the best of all other explainers on the "
        "same runs, which is chosen afterwards, and so a little too strong.\n"
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


def _weights():
    """Ways of telling and their weights, as text."""
    return ", ".join(
        f"{told} {' and '.join(f'{weight:g}' for weight in np.ravel(weights))}"
        for told, weights in WEIGHTS.items()
    )


def _sets(names, counts, sizes):
    images = {(row["set"], row["split"]): row["images"] for row in counts}
    for name in names:
        yield [
            f"`{name}`",
            SETS[name].classes,
            *(images.get((name, split)) for split in SPLITS),
            *(sizes.epochs_of(arm, SETS[name]) for arm in (ORIGINAL, ORIGINAL_TUNED)),
        ]
