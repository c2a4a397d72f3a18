"""Goes on with a study from the rows that are kept beside its page."""

from pathlib import Path

from study_grid.cell import Cell
from study_grid.page.records import FOLDER, RESULTS, RUNS, read


def adopt(workshop, docs="docs"):
    """Gives a workshop the results of the cells that it has not computed itself.

    Values have the five digits that `results.csv` keeps. Networks are not among them: a
    cell that needs one makes the study train it again. Cells whose recipe has changed
    since are left out.

    Args:
        workshop: A `Workshop`.
        docs: Folder of the page.

    Returns:
        A list of the `Cell`s whose results were adopted.

    Raises:
        FileNotFoundError: If there are no rows beside the page.
        ValueError: If nothing is known of the run of a cell that has rows.
    """
    folder = Path(docs) / FOLDER
    rows = read(folder / RESULTS)
    if not rows:
        raise FileNotFoundError(
            f"Expected rows of results in {folder / RESULTS}. Received: no such rows. "
            "Name the folder of a page that was written, or start anew without them."
        )
    facts = {run.pop("cell"): run for run in read(folder / RUNS)}
    found = {}
    for row in rows:
        found.setdefault(Cell.of_row(row), []).append(row)
    missing = [cell for cell in found if not workshop.is_done(cell)]
    if lost := [cell.name for cell in missing if cell.name not in facts]:
        raise ValueError(
            f"Expected a row in {folder / RUNS} for every cell that {RESULTS} has rows "
            f"of. Received: none for {', '.join(lost)}. Take both files from the same "
            f"page, or delete the rows of these cells from {RESULTS}."
        )
    adopted = [cell for cell in missing if workshop.is_current(cell, facts[cell.name])]
    for cell in adopted:
        run = facts[cell.name]
        run["seconds"] = float(run["seconds"])
        workshop.save_results(cell, found[cell], run)
    if outdated := len(missing) - len(adopted):
        print(f"{outdated} cells are of another recipe than now, and are left out.")
    return adopted
