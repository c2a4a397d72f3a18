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


def execute_notebook(path, changes=()):
    """Executes a notebook in its folder.

    Args:
        path: The notebook.
        changes: Pairs of texts; the second takes the place of the first in the code.

    Returns:
        The notebook with outputs, without what went to stderr and without times.

    Raises:
        ValueError: If a text to change is not in the code.
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for before, after in changes:
        if not any(before in cell.source for cell in codes):
            raise ValueError(f"Expected the code of {path} to have {before!r}.")
        for cell in codes:
            cell.source = cell.source.replace(before, after)
    NotebookClient(
        notebook,
        resources={"metadata": {"path": str(path.parent)}},
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
    ).execute()
    # Its version would change with every machine.
    notebook.metadata.pop("language_info", None)
    for cell in codes:
        cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    return notebook


if __name__ == "__main__":
    main()
