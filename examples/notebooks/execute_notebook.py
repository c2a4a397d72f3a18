"""Executes the notebooks of this folder, and keeps what they print and draw.

Run it from anywhere: python examples/notebooks/execute_notebook.py
"""

import pathlib

import nbformat
from nbclient import NotebookClient

HERE = pathlib.Path(__file__).parent


def main():
    """Executes all notebooks and writes them with their new outputs."""
    for path in sorted(HERE.glob("*.ipynb")):
        nbformat.write(execute_notebook(path), path)


def read_changed(path, changes):
    """Reads a notebook.

    Args:
        path: The notebook.
        changes: Pairs of texts; the second takes the place of the first in the code.

    Returns:
        The changed notebook.

    Raises:
        ValueError: If a text to change is not in the code.
    """
    notebook = nbformat.read(path, as_version=4)
    codes = code_cells(notebook)
    for before, after in changes:
        if not any(before in cell.source for cell in codes):
            raise ValueError(f"Expected the code of {path} to have {before!r}.")
        for cell in codes:
            cell.source = cell.source.replace(before, after)
    return notebook


def code_cells(notebook):
    """The cells of a notebook that hold code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def execute_notebook(path, changes=()):
    """Executes a notebook in its folder, changed as by `read_changed`.

    Returns:
        The notebook with outputs, without what went to stderr and without times.

    Raises:
        ValueError: If a text to change is not in the code.
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = read_changed(path, changes)
    NotebookClient(
        notebook,
        resources={"metadata": {"path": str(path.parent)}},
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
    ).execute()
    # Its version would change with every machine.
    notebook.metadata.pop("language_info", None)
    for cell in code_cells(notebook):
        cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    return notebook


if __name__ == "__main__":
    main()
