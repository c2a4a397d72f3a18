"""Writes the page of the study."""

import dataclasses
from pathlib import Path

from study_grid.arms import LAP_FEW_MASKS, ORIGINAL, ORIGINAL_TUNED
from study_grid.grid import QUESTIONS, cells
from study_grid.page import (
    ablations,
    accuracy,
    cost,
    faithfulness,
    knowledge,
    validity,
)
from study_grid.page.head import head
from study_grid.page.missing import describe
from study_grid.page.palette import DPI
from study_grid.page.records import (
    FOLDER,
    RESULTS,
    RUNS,
    SETS,
    read,
    write_results,
    write_runs,
    write_sets,
)
from study_grid.page.results import Results

PAGE = "study.md"
MODULES = dict(
    zip(
        QUESTIONS,
        (accuracy, validity, faithfulness, knowledge, ablations, cost),
        strict=True,
    )
)


def write_page(workshop, docs="docs"):
    """Writes `study.md`, and its pictures and rows to the folder `study` beside it.

    All that the page says is computed from the rows as they are written there.

    Args:
        workshop: A `Workshop`.
        docs: Folder of the page.

    Returns:
        `Path` of the page.
    """
    docs = Path(docs)
    folder = docs / FOLDER
    write_results(workshop, folder)
    write_runs(workshop, folder)
    results = Results(read(folder / RESULTS))
    asked, done = _asked(results, workshop.sizes), results.cells()
    write_sets(workshop, asked["sets"], folder)
    sections, blocks = {}, []
    for letter, module in MODULES.items():
        title = f"{letter}. {module.TITLE}"
        wanted = cells(letter, **asked)
        lost = [cell for cell in wanted if cell not in done]
        found = None
        if len(lost) < len(wanted):
            # Of seeds that all have, but for the aim that has more.
            shown = results
            if module is not knowledge:
                shown = results.of_seeds(asked["seeds"])
            found = module.section(shown, workshop.sizes)
            found = dataclasses.replace(found, is_complete=not lost)
        sections[title] = found
        blocks += [f"## {title}", *_answer(letter, found)]
        if found and lost:
            blocks += [
                "What is above is of some of the cells. Not computed yet:",
                "\n".join(f"- {phrase}" for phrase in describe(lost, wanted)),
            ]
    for found in filter(None, sections.values()):
        for name, figure in found.figures.items():
            figure.savefig(folder / f"{name}.png", dpi=DPI)
    counts, runs = read(folder / SETS), read(folder / RUNS)
    top = head(sections, results, asked, counts, runs, workshop.sizes)
    page = docs / PAGE
    page.write_text("\n\n".join([*top, *blocks]) + "\n", encoding="utf-8")
    return page


def _asked(results, sizes):
    """What the grid is expected to hold: that of its size, and what else was found."""
    # Of what the aim of D is about there are more.
    several = (ORIGINAL.name, ORIGINAL_TUNED.name, LAP_FEW_MASKS.name)
    seeds = {cell.seed for cell in results.cells() if cell.arm not in several}
    return {
        "sets": list(dict.fromkeys([*sizes.sets, *results.distinct("set")])),
        "families": list(dict.fromkeys([*sizes.families, *results.distinct("family")])),
        "seeds": sorted(seeds) or results.distinct("seed") or [0],
        "chosen": sizes.arms,
    }


def _answer(letter, section):
    if section is None:
        yield (
            "Not computed yet. `python examples/study.py --questions "
            f"{letter}` computes it."
        )
        return
    if section.aim is not None:
        yield f"Aim: {section.aim}. Result: {section.result}."
    yield from section.blocks
