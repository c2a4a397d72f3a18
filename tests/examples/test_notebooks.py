"""The notebooks run, and what they tell is so; of little data, all but the maps."""

import pathlib
import re

import execute_notebook as notebooks
import nbformat
import pytest
from effort import THOROUGH

NOTEBOOKS = pathlib.Path(__file__).parents[2] / "examples" / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture
def printed(capsys, monkeypatch, request):
    """Runs the code of a notebook, and returns what it prints.

    A thorough run executes it as it stands, in a kernel of its own. By default it is of
    less data and runs here, where all is imported, and eagerly: it is over before
    graphs would be traced.
    """

    def run(name, less):
        path = NOTEBOOKS / f"{name}.ipynb"
        if THOROUGH:
            return text_of(notebooks.execute_notebook(path))
        request.getfixturevalue("eager")
        monkeypatch.chdir(NOTEBOOKS)
        names = {}
        notebook = nbformat.read(path, as_version=4)
        code = "\n".join(cell.source for cell in notebooks.code_cells(notebook))
        for before, after in [("%matplotlib inline", ""), *less]:
            assert before in code
            code = code.replace(before, after)
        exec(compile(code, path.name, "exec"), names)
        return capsys.readouterr().out

    return run


def outputs_of(notebook):
    cells = notebooks.code_cells(notebook)
    return [output for cell in cells for output in cell.outputs]


def text_of(notebook):
    return "".join(output.get("text", "") for output in outputs_of(notebook))


def test_help_runs_nothing_and_notebooks_may_be_named(monkeypatch):
    executed = []
    monkeypatch.setattr(notebooks, "execute_notebook", executed.append)
    monkeypatch.setattr(nbformat, "write", lambda notebook, path: None)
    with pytest.raises(SystemExit):
        notebooks.main(["--help"])
    assert not executed
    for arguments, expected in (([str(PATHS[1])], PATHS[1:2]), ([], PATHS)):
        executed.clear()
        notebooks.main(arguments)
        assert executed == expected


def numbers(pattern, text):
    return [float(number) for number in re.search(pattern, text).groups()]


def test_convert_and_explain(printed):
    few = [
        ('"train", 256', '"train", 48'),
        ("epochs=4", "epochs=1"),
        ("GateAnneal(0, 2)", "GateAnneal(0, 1)"),
    ]
    text = printed("convert_and_explain", few)
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
    few = [('"train", 384', '"train", 64'), ("epochs=3", "epochs=1")]
    text = printed("teach_by_masks", few)
    before, after = numbers(r"mask: (\S+) before, (\S+) after", text)
    assert after > (2 if THOROUGH else 1) * before


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_is_kept_as_it_was_executed(path):
    notebook = nbformat.read(path, as_version=4)
    counts = [cell.execution_count for cell in notebooks.code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert any("image/png" in each.get("data", ()) for each in outputs_of(notebook))
    assert path.stat().st_size < 300_000
