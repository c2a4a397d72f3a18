"""The page of the losses and its figures can be made anew, on a small scale."""

import csv
import pathlib
import re

import numpy as np
import pytest

import keras_lap
from keras_lap import losses
from keras_lap.datasets import ClutteredDigitsConfig

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "docs" / "losses.md"
TINY = ClutteredDigitsConfig(name="tiny", train=1, validation=1, test=8)

pytestmark = pytest.mark.usefixtures("eager")


@pytest.fixture
def script():
    import what_each_loss_does

    return what_each_loss_does


def lines_of(page):
    with (page.with_suffix("") / "figures.csv").open() as file:
        return list(csv.DictReader(file))


def test_figures_and_tables_are_written(script, tmp_path, monkeypatch):
    network = script.build_network()

    def untrained(self, names, attributes):
        model = keras_lap.convert(network, concepts=4 if attributes else 10)
        script.compile_for_digits(model, 1, 1)
        return model

    monkeypatch.setattr(script.Networks, "trained", untrained)
    page = tmp_path / "losses.md"
    page.write_text(PAGE.read_text())
    for only in (["RightReasons", "Exclusivity"], ["ConceptLabels"]):
        options = [f"--data-dir={tmp_path}", f"--page={page}", "--only", *only]
        script.main(options, config=TINY)
    lines = lines_of(page)
    # In the order of the page, with what the earlier run wrote.
    assert [(line["loss"], line["trained with"]) for line in lines] == [
        ("ConceptLabels", "labels"),
        ("ConceptLabels", "ConceptLabels"),
        ("Exclusivity", "labels"),
        ("Exclusivity", "Exclusivity"),
        ("Exclusivity", "Presence"),
        ("Exclusivity", "Presence, Exclusivity"),
        ("RightReasons", "labels"),
        ("RightReasons", "RightReasons"),
        ("RightReasons", "labels: gradients"),
        ("RightReasons", "RightReasons: gradients"),
    ]
    for line in lines:
        for name in ("pointing game", "energy in mask", "covered"):
            assert 0 <= float(line[name]) <= 1
        cells = list(line.values())[1:]
        assert f"| {' | '.join(cells)} |\n" in page.read_text()
        figure = tmp_path / "losses" / f"{line['loss'].lower()}.png"
        assert figure.read_bytes().startswith(b"\x89PNG")
    rows = re.compile(r"^\|.*\n", re.MULTILINE)
    assert rows.sub("", page.read_text()) == rows.sub("", PAGE.read_text())


@pytest.mark.thorough
def test_all_begin_alike_and_see_the_same_order(script, monkeypatch, rng):
    """A loss without a weight changes nothing."""
    weightless = script.Subject(losses.Presence(), weight=0.0)
    monkeypatch.setitem(script.SUBJECTS, "Presence", weightless)
    # Of one batch nobody would see the order.
    monkeypatch.setattr(script, "BATCH_SIZE", 8)
    split = {
        "image": rng.uniform(0, 255, (16, 64, 64, 3)).astype("float32"),
        "label": rng.integers(10, size=16),
    }
    networks = script.Networks(split, epochs=1, more=1)
    models = [networks.trained(names, False) for names in ((), ("Presence",))]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_page_is_as_the_script_wrote_it(script):
    page, lines = PAGE.read_text(), lines_of(PAGE)
    assert list(dict.fromkeys(line["loss"] for line in lines)) == list(script.SUBJECTS)
    for line in lines:
        name, *cells = line.values()
        begin, end = (page.index(f"<!-- {mark}{name} -->") for mark in ("", "end of "))
        assert f"| {' | '.join(cells)} |\n" in page[begin:end]
    for figure in PAGE.with_suffix("").glob("*.png"):
        assert figure.stat().st_size < 160_000


def test_no_loss_is_left_out(script):
    to_derive_from = {name for name in losses.__all__ if name.endswith("Loss")}
    shown = {type(subject.loss).__name__ for subject in script.SUBJECTS.values()}
    assert shown | to_derive_from | {"SupervisedLayer"} == set(losses.__all__)
