"""Executes the notebooks of this folder, and keeps what they print and draw.

Run it from anywhere: python examples/notebooks/execute_notebook.py
"""

import argparse
import pathlib

import nbformat
from nbclient import NotebookClient

HERE = pathlib.Path(__file__).parent


def main(arguments=None):
    """Executes notebooks and writes them with their new outputs."""
    parser = argparse.ArgumentParser(description=__doc__)
    every = sorted(HERE.glob("*.ipynb"))
    parser.add_argument("notebooks", nargs="*", type=pathlib.Path, default=every)
    for path in parser.parse_args(arguments).notebooks:
        nbformat.write(execute_notebook(path), path)


def code_cells(notebook):
    """The cells of a notebook that hold code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def execute_notebook(path):
    """Executes a notebook in its folder.

    Returns:
        The notebook with outputs, without what went to stderr and without times.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
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
