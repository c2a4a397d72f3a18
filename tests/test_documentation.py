"""The code of README and docs runs as it stands and prints what the pages say."""

import importlib
import pathlib
import re

import keras
import pytest
from random_examples import random_examples

ROOT = pathlib.Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "examples/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", flags=re.DOTALL)


@pytest.fixture
def one_round(monkeypatch):
    """Times are of one round: what they are makes no difference."""
    module = importlib.import_module("keras_lap.evaluation.comparison.costs")
    time = module.time_in_rounds
    monkeypatch.setattr(module, "time_in_rounds", lambda calls, _: time(calls, 1))


@pytest.fixture
def run(capsys, tmp_path, monkeypatch, eager, one_round):
    def run(page):
        """Runs a page's code, block after block; returns its names and its output."""
        monkeypatch.chdir(tmp_path)
        # Layers that are given no name are numbered from one, as in a new process.
        keras.utils.clear_session()
        names, everything = {}, []
        for code, expected in BLOCK.findall(page.read_text()):
            exec(compile(code, page.name, "exec"), names)
            printed = capsys.readouterr().out
            everything.extend(printed.splitlines())
            if expected:
                assert printed == expected
        return names, everything

    return run


@pytest.fixture
def few_epochs(monkeypatch):
    """Trainings end after two epochs: gates open in the first one."""
    fit = keras.Model.fit

    def short(model, *data, epochs=1, **options):
        return fit(model, *data, epochs=min(epochs, 2), **options)

    monkeypatch.setattr(keras.Model, "fit", short)


@pytest.mark.usefixtures("few_epochs")
def test_readme(run, tmp_path):
    names, printed = run(README)
    assert names["explanation"].maps.shape == (8, 64, 64, 10)
    assert all((tmp_path / name).exists() for name in ("why.png", "report.html"))
    assert any("loss" in line for line in printed)
    assert not any("nan" in line for line in printed)


@pytest.mark.parametrize(
    "page", [page for page in PAGES[1:] if BLOCK.search(page.read_text())], ids=str
)
def test_pages(page, run, restored_rules):
    with random_examples(4):
        names, _ = run(page)
    assert names


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_linked_files_exist(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_nothing_is_left_to_fill_in():
    for page in (*PAGES, ROOT / "benchmarks" / "RESULTS.md"):
        assert re.findall(r"^[A-Z]+$", page.read_text(), flags=re.MULTILINE) == []
