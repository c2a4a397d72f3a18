"""The study runs as a whole, on a small scale."""

import importlib
import pathlib

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def examples_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(pathlib.Path(__file__).parent.parent / "examples"))


@pytest.mark.usefixtures("eager")
def test_quick_study(tmp_path, capsys):
    study = importlib.import_module("study")
    from study_grid.sizes import QUICK
    from study_grid.workshop import Workshop

    folder = tmp_path / "study"
    arguments = ["--quick", "--seeds", "1", "--workers", "0", "--folder", str(folder)]
    arguments += ["--data-dir", str(tmp_path / "data")]
    assert study.main(arguments) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    assert "0:00:00 left]" in printed
    rows = list(Workshop(folder, QUICK).results())
    assert {row["kind"] for row in rows} == {"train", "explain", "cost"}
    assert {row["arm"] for row in rows} == set(QUICK.arms)
    assert all(np.isfinite(float(row["value"])) for row in rows)
    page = (folder / "docs" / "study.md").read_text()
    for letter in "ABCDEF":
        assert f"\n## {letter}. " in page
    # All is there already: only the page is written again.
    assert study.main(arguments) == 0
    assert "left]" not in capsys.readouterr().out
    assert (folder / "docs" / "study.md").read_text() == page
