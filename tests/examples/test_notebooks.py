"""The notebooks run, and what they tell is so; of little data, all but the maps."""

import pathlib
import re

import nbformat
import pytest
from effort import THOROUGH

NOTEBOOKS = pathlib.Path(__file__).parents[2] / "examples" / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
# A training of two or three batches is over before a graph would be traced.
EAGER = ('_crossentropy"', '_crossentropy", run_eagerly=True')


@pytest.fixture
def printed():
    """Executes a notebook and returns what it prints."""
    from execute_notebook import execute_notebook

    def run(name, *changes):
        return text_of(execute_notebook(NOTEBOOKS / f"{name}.ipynb", changes))

    return run


def outputs_of(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [output for cell in cells for output in cell.outputs]


def text_of(notebook):
    return "".join(output.get("text", "") for output in outputs_of(notebook))


def numbers(pattern, text):
    return [float(number) for number in re.search(pattern, text).groups()]


def test_convert_and_explain(printed):
    few = [
        ('"train", 256', '"train", 48'),
        ("epochs=4", "epochs=1"),
        ("GateAnneal(0, 2)", "GateAnneal(0, 1)"),
        EAGER,
    ]
    text = printed("convert_and_explain", *([] if THOROUGH else few))
    assert numbers(r"change of a probability: (\S+)", text)[0] <= 1e-5
    agree = numbers(r"Of the images, (\S+) are named", text)[0]
    assert agree > (0.8 if THOROUGH else 0)
    (loss,) = numbers(r"Loss of the maps, by epoch: (\S+)", text)
    assert 0 < loss < 10
    _, by_chance = numbers(r"A random place: (\S+) and (\S+)", text)
    for name in ("Grad-CAM", "LAP"):
        patch, digit = numbers(rf"{name}: .* patch in (\S+), .* digit in (\S+)", text)
        assert 0 <= patch <= 1
        if THOROUGH or name == "Grad-CAM":
            assert patch > 0.8
            assert digit < by_chance


def test_teach_by_masks(printed):
    few = [('"train", 384', '"train", 64'), ("epochs=3", "epochs=1"), EAGER]
    text = printed("teach_by_masks", *([] if THOROUGH else few))
    before, after = numbers(r"mask: (\S+) before, (\S+) after", text)
    assert after > (2 if THOROUGH else 1) * before


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_is_kept_as_it_was_executed(path):
    notebook = nbformat.read(path, as_version=4)
    counts = [c.execution_count for c in notebook.cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert any("image/png" in each.get("data", ()) for each in outputs_of(notebook))
    assert path.stat().st_size < 300_000
