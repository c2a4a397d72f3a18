"""The code of README and docs runs as it stands and prints what the pages say."""

import pathlib
import re

import keras
import numpy as np
import pytest
from random_examples import random_examples

ROOT = pathlib.Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "examples/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", flags=re.DOTALL)


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
        run(page)


# Code that reads files which only those who read the page have.
TO_REPORT, FROM_TABLE = re.findall(
    r"```py\n(.*?)```", (ROOT / "docs/data.md").read_text(), flags=re.DOTALL
)


@pytest.mark.usefixtures("eager", "few_epochs")
def test_from_a_saved_network_to_a_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    ).save("resnet50.keras")
    for file in ("healthy/1.png", "ill/2.png", "masks/ill/2.png"):
        for split in ("train", "validation"):
            path = pathlib.Path("scans", split, file)
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(0).integers(0, 2, (32, 32, 1)) * 255
            keras.utils.save_img(path, pixels, scale=False)
    names = {}
    exec(compile(TO_REPORT.replace("224", "32"), "data.md", "exec"), names)
    assert names["ill"].predictions.shape == (1, 2)
    assert "\npredicted: " in capsys.readouterr().out
    assert pathlib.Path("report.html").exists()


def test_labels_in_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("labels.csv").write_text("name,label\n1.png,healthy\n2.png,ill\n")
    pathlib.Path("flat").mkdir()
    for name in ("1.png", "2.png"):
        pathlib.Path("flat", name).write_text(name)
    for _ in range(2):
        exec(compile(FROM_TABLE, "data.md", "exec"), {})
    assert pathlib.Path("scans/healthy/1.png").read_text() == "1.png"
    assert pathlib.Path("scans/ill/2.png").read_text() == "2.png"


def anchors(page):
    """What GitHub calls the headings of a page."""
    code = re.compile(r"^ *```.*?^ *```$", flags=re.MULTILINE | re.DOTALL)
    text = code.sub("", page.read_text())
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    bare = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in bare}


def test_comments_in_code_are_no_headings(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One\n\n```python\n# Of code\n```\n\n## Two or 3\n")
    assert anchors(page) == {"one", "two-or-3"}


def test_links_lead_somewhere():
    for page in PAGES:
        links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text())
        for file, anchor in links:
            target = page.parent / file if file else page
            assert target.exists(), f"{page} links to {file}"
            if anchor:
                assert anchor in anchors(target), f"{page} links to {file}#{anchor}"


def test_nothing_is_left_to_fill_in():
    for page in (*PAGES, ROOT / "benchmarks" / "RESULTS.md"):
        assert re.findall(r"^[A-Z]+$", page.read_text(), flags=re.MULTILINE) == []
