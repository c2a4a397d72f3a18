"""The report as a file; what it does in a browser is tested in test_report_page.py."""

import base64
import html.parser
import importlib
import io
import json
import pathlib
import re
import sys

import numpy as np
import pytest
from PIL import Image
from report_example import (
    CLASSES,
    HISTORY,
    LABELS,
    PREDICTIONS,
    SIDE,
    comparison,
    explanation,
    squares,
)

import keras_lap
from keras_lap.evaluation import energy_in_mask

report = keras_lap.report


class Scripts(html.parser.HTMLParser):
    """Reads a page as a browser does: what the scripts of it are, and its title."""

    def __init__(self, page):
        super().__init__()
        self.found, self.title, self._tag = [], "", None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self._tag = tag
        if tag == "script":
            self.found.append("")

    def handle_data(self, data):
        if self._tag == "script":
            self.found[-1] += data
        elif self._tag == "title":
            self.title += data

    def handle_endtag(self, tag):
        self._tag = None


@pytest.fixture
def written(tmp_path):
    """Writes a report; returns what the page reads."""

    def written(explanations, **options):
        path = report(explanations, tmp_path / "report.html", **options)
        assert path == tmp_path / "report.html"
        data, _ = Scripts(path.read_text(encoding="utf-8")).found
        return json.loads(data)

    return written


def pixels(text):
    return np.array(Image.open(io.BytesIO(base64.b64decode(text))))


def test_asks_for_nothing_outside(tmp_path):
    path = report(explanation(), tmp_path / "report.html")
    page = path.read_text(encoding="utf-8")
    # The name of SVG is no address that is read from.
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {
        "http://www.w3.org/2000/svg"
    }
    assert re.search(r"Content-Security-Policy\" content=\"default-src 'none'", page)
    assert not re.search(r"<(link|img|script)[^>]*(src|href)=\"(?!data:)", page)


def test_names_do_not_break_out(tmp_path):
    title = '</title><script>alert(1)</script> & "quoted" $data'
    path = report(
        {CLASSES[0]: explanation()},
        tmp_path / "report.html",
        title=title,
        history={CLASSES[0]: [1, 2]},
    )
    scripts = Scripts(path.read_text(encoding="utf-8"))
    assert scripts.title == title
    assert len(scripts.found) == 2
    data = json.loads(scripts.found[0])
    assert data["gallery"]["classes"] == CLASSES
    assert data["gallery"]["layers"][0]["name"] == CLASSES[0]
    assert data["training"][0]["name"] == CLASSES[0]


def test_predictions(written):
    samples = written(explanation())["gallery"]["samples"]
    assert [s["index"] for s in samples] == list(range(8))
    assert [s["labels"] for s in samples] == [[label] for label in LABELS]
    facts = [s["models"][0] for s in samples]
    assert [f["predicted"] for f in facts] == [[k] for k in PREDICTIONS.argmax(-1)]
    assert [f["right"] for f in facts] == [True] * 3 + [False, True, False, True, True]
    assert facts[3]["likely"] == [[1, 0.65], [0, 0.3], [2, 0.05]]
    assert samples[5]["file"] == "<i>5</i>.png"


def test_disagreement_is_the_energy_of_the_labels_map_outside_of_the_mask(written):
    explained = explanation()
    samples = written(explained)["gallery"]["samples"]
    inside = energy_in_mask(explained.of(LABELS), explained.masks).values
    found = [s["maps"][0]["disagreement"] for s in samples]
    assert found.pop() is None
    np.testing.assert_allclose(found, 1 - inside[:-1], rtol=1e-4, atol=1e-12)
    assert len(set(found)) == 6


def test_disagreement_of_a_single_concept_and_of_several_labels(written):
    maps = squares()
    samples = written(
        explanation(maps[..., :1], concept_names=["any"], class_concepts=None)
    )["gallery"]["samples"]
    assert samples[1]["maps"][0]["disagreement"] == 0
    several = np.eye(3, dtype=int)[LABELS]
    several[0] = [1, 0, 1]
    maps[0, -1, -1, 2] = 0.8
    samples = written(explanation(maps, labels=several))["gallery"]["samples"]
    quarter = (SIDE // 2) ** 2
    assert samples[0]["maps"][0]["disagreement"] == pytest.approx(
        0.8 / (quarter * (0.2 + 0.8) + 0.8), rel=1e-3
    )
    assert samples[0]["models"][0]["predicted"] == [0]
    assert not samples[0]["models"][0]["right"]
    assert samples[1]["models"][0]["right"]


def test_disagreement_of_several_concepts_of_a_label_is_of_the_highest(written):
    maps = squares()
    maps[0] = 0
    maps[0, 0, 0, :2], maps[0, -1, -1, 1] = [0.2, 0.6], 0.6
    masks = np.zeros(maps.shape[:3], bool)
    masks[0, 0, 0] = True
    both = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]])
    samples = written(explanation(maps, masks=masks, class_concepts=both))["gallery"]
    assert samples["samples"][0]["labels"] == [0]
    assert samples["samples"][0]["maps"][0]["disagreement"] == pytest.approx(0.5)


def test_evidence(written):
    first, last = (
        written(explanation())["gallery"]["samples"][index]["maps"][0]["concepts"]
        for index in (0, 6)
    )
    assert [one["strength"] for one in first] == [0.2, 0.4, 0.8]
    assert [one["inside"] for one in first] == [1, 1, 1]
    assert first[2]["place"] == pytest.approx([16.5 / 32, 0.5 / 32], rel=1e-3)
    assert [one["area"] for one in first] == [0.25, 0.25, 0.25]
    # The label's map is 0.6 high outside of the mask and 0.2 inside.
    assert last[0]["inside"] == 0.25
    assert last[0]["score"] == 0.6


def test_maps_are_stored_by_their_own_maximum(written):
    explained = explanation()
    layer, picture = (
        written(explained)["gallery"][key][0] for key in ("layers", "samples")
    )
    tiles = pixels(picture["maps"][0]["picture"])[..., 0] / 255
    assert layer["across"] == 2
    assert tiles.shape == (64, 64)
    tiles = tiles.reshape(2, 32, 2, 32).swapaxes(1, 2).reshape(4, 32, 32)
    for concept in range(3):
        expected = (
            explained.maps[0, ..., concept] / explained.maps[0, ..., concept].max()
        )
        assert abs(tiles[concept] - expected).max() < 0.06
    assert tiles[3].max() < 0.02


def test_large_pictures_are_averaged_down(written):
    maps = np.zeros((1, 256, 512, 2), np.float32)
    maps[..., 256:, 1] = 3
    explained = keras_lap.Explanation(
        maps, np.full((1, 256, 512, 1), 7.0), masks=maps[..., 1] > 0
    )
    gallery = written(explained)["gallery"]
    (sample,) = gallery["samples"]
    assert gallery["size"] == [256, 512]
    assert pixels(sample["image"]).shape[:2] == (192, 384)
    assert pixels(sample["mask"])[:, :, 3].tolist() == [[0] * 64 + [255] * 64] * 64
    tiles = pixels(sample["maps"][0]["picture"])[..., 0]
    assert tiles.shape == (48, 192)
    assert tiles[:, :96].max() < 8 and tiles[:, 146:].min() > 247


def test_thin_masks_are_seen(written):
    masks = np.zeros((1, 1024, 512), bool)
    masks[0, 300, 100:200] = True
    explained = keras_lap.Explanation(
        np.zeros((1, 1024, 512, 1)), np.zeros((1, 1024, 512, 1)), masks=masks
    )
    (sample,) = written(explained)["gallery"]["samples"]
    opacity = pixels(sample["mask"])[..., 3]
    assert opacity.shape == (128, 64)
    rows, columns = np.nonzero(opacity)
    assert set(rows) == {37} and len(columns) in (12, 13)


def test_without_labels_masks_and_predictions(written):
    explained = keras_lap.Explanation(squares(), np.zeros((8, SIDE, SIDE, 1)))
    gallery = written(explained)["gallery"]
    sample = gallery["samples"][0]
    assert gallery["classes"] == []
    assert sample["models"] == [{"likely": [], "predicted": [], "right": None}]
    assert sample["mask"] is sample["file"] is sample["maps"][0]["disagreement"] is None


def test_logits_become_probabilities(written):
    logits = np.tile([2.0, 0.0, 2.0], (8, 1))
    (sample, *_) = written(explanation(predictions=logits))["gallery"]["samples"]
    share = np.exp(2) / (2 * np.exp(2) + 1)
    (best, highest), (second, as_high), _ = sample["models"][0]["likely"]
    assert (best, second) == (0, 2)
    assert highest == as_high == pytest.approx(share, rel=1e-3)


def test_logits_of_several_labels_are_judged_each_by_itself(written):
    logits, labels = np.tile([2.0, 1.0, -2.0], (8, 1)), np.tile([1, 1, 0], (8, 1))
    labels[1] = [1, 0, 0]
    explained = explanation(predictions=logits, labels=labels)
    facts = [s["models"][0] for s in written(explained)["gallery"]["samples"]]
    assert facts[0]["predicted"] == [0, 1]
    assert [facts[0]["right"], facts[1]["right"]] == [True, False]
    shares = [share for _, share in facts[0]["likely"]]
    np.testing.assert_allclose(shares, 1 / (1 + np.exp([-2, -1, 2])), rtol=1e-3)


def test_what_are_logits_is_known_of_the_explanation(written):
    """Whatever those look like that are shown."""
    logits = np.array([[-3.0, 1, 0]] + [[0.5, 0, 0]] * 7)
    explained = explanation(predictions=logits)[1:]
    (sample, *_) = written(explained)["gallery"]["samples"]
    share = np.exp(0.5) / (np.exp(0.5) + 2)
    assert sample["models"][0]["likely"][0] == [0, pytest.approx(share, rel=1e-3)]
    # Rounding takes no probability for a logit.
    rounded = np.array([[1 + 1e-6, -1e-6, 0]] * 8)
    (sample, *_) = written(explanation(predictions=rounded))["gallery"]["samples"]
    assert sample["models"][0]["likely"][0] == [0, 1]


def test_one_output_for_two_classes(written):
    names = {"class_names": None, "class_concepts": None}
    explained = explanation(predictions=PREDICTIONS[:, :1], labels=LABELS % 2, **names)
    gallery = written(explained)["gallery"]
    assert gallery["classes"] == ["0", "1"]
    assert gallery["samples"][0]["models"][0]["likely"] == [[1, 0.8], [0, 0.2]]
    assert gallery["samples"][0]["models"][0]["right"] is False


def test_one_hot_labels_are_single_ones(written):
    one_hot = np.eye(3, dtype=int)[LABELS]
    single, several = (
        [sample["models"] for sample in written(explained)["gallery"]["samples"]]
        for explained in (explanation(), explanation(labels=one_hot))
    )
    assert single == several


def test_labels_below_zero_are_unknown(written):
    unknown = np.where(np.arange(8) < 1, -1, LABELS)
    sample = written(explanation(labels=unknown))["gallery"]["samples"][0]
    assert sample["labels"] == []
    assert sample["models"][0]["right"] is None
    assert sample["maps"][0]["disagreement"] is None


def test_labels_of_several_that_are_unknown_are_not_judged(written):
    labels = np.eye(3)[LABELS]
    # Wrong in a known class, right in the only known one, and none known.
    labels[3], labels[4], labels[5] = [1, 0, np.nan], [-1, np.nan, 0], -1
    samples = written(explanation(labels=labels))["gallery"]["samples"]
    assert [sample["labels"] for sample in samples[3:6]] == [[0], [], []]
    facts = [sample["models"][0] for sample in samples]
    assert [f["predicted"] for f in facts[3:6]] == [[1], [1], [0]]
    assert [f["right"] for f in facts[3:6]] == [False, True, None]
    assert facts[0]["right"]


def test_predictions_of_several_models(written):
    other = PREDICTIONS[:, ::-1]
    data = written(
        {
            "flow": explanation(),
            "block 1": explanation(combine="layer"),
            "original": explanation(predictions=other),
        }
    )
    assert [layer["model"] for layer in data["gallery"]["layers"]] == [0, 0, 1]
    models = data["gallery"]["samples"][0]["models"]
    assert [facts["predicted"] for facts in models] == [[0], [2]]
    assert [facts["right"] for facts in models] == [True, False]


def test_one_pixel_that_is_nan_makes_no_other_images(written):
    images = explanation().images.astype("float32")
    images[1, 0, 0] = np.nan
    both = {name: explanation(images=images.copy()) for name in "ab"}
    assert len(written(both, samples=1)["gallery"]["layers"]) == 2
    with pytest.raises(ValueError, match="finite images"):
        written(both)


def test_samples_are_taken_evenly(written):
    gallery = written(explanation(), samples=3)["gallery"]
    assert gallery["total"] == 8
    assert [sample["index"] for sample in gallery["samples"]] == [0, 4, 7]
    assert [sample["labels"] for sample in gallery["samples"]] == [[0], [1], [1]]


def test_figures(written):
    same, two = written(explanation(), comparison=comparison())["tables"]
    assert same["protocol"] == "same model"
    assert same["models"] == [{"name": "with LAP", "accuracy": 0.75}]
    assert [column["explainer"] for column in same["columns"]] == [
        "LAP",
        "Grad-CAM",
        "Edge",
        "Occlusion",
    ]
    pointing, deletion, sparsity = same["rows"]
    assert pointing["higher"] is True and sparsity["higher"] is None
    assert [cell["mark"] for cell in pointing["cells"][:3]] == ["best", None, "alike"]
    assert deletion["cells"][0]["mark"] == "best"
    assert sparsity["cells"][0]["mark"] is None
    assert pointing["cells"][1] == {
        "mark": None,
        "mean": 0.6,
        "low": 0.5,
        "high": 0.7,
        "counted": 6,
        "left_out": 2,
    }
    assert deletion["cells"][2]["mean"] is None
    assert pointing["metric"] == "pointing game"
    assert sparsity["cells"][1:] == [None, None, None]
    assert same["failures"] == ["Occlusion, maps: ValueError: <too> big"]
    assert [cell["mark"] for cell in two["rows"][0]["cells"]] == [None, None]
    assert two["failures"] == []
    assert [model["accuracy"] for model in two["models"]] == [0.75, 0.5]


def test_figures_are_not_rounded_twice_and_costs_have_no_winner(written):
    compared = comparison()
    for row in compared.rows[:3]:
        row |= {"metric": "seconds", "mean": 0.46347, "is_ranked": False}
    (cost, *_) = written(explanation(), comparison=compared)["tables"][0]["rows"]
    assert cost["cells"][0]["mean"] == 0.46347
    assert cost["metric"] == "seconds"
    assert [cell["mark"] for cell in cost["cells"][:3]] == [None] * 3


def test_progress(written, capsys):
    written(explanation())
    assert capsys.readouterr().out == ""
    written(explanation(), samples=3, verbose=True)
    assert "3/3" in capsys.readouterr().out


def test_curves(written):
    data = written(explanation(), comparison=comparison(), history=HISTORY)
    (deletion,) = data["charts"]
    assert [line["name"] for line in deletion["lines"]] == ["LAP", "Grad-CAM"]
    assert deletion["lines"][1]["y"] == [1, 0.75, 0.5, 0.25, 0]
    loss, accuracy, f1 = data["training"]
    assert [line["name"] for line in loss["lines"]] == ["training", "validation"]
    assert loss["lines"][0]["y"] == [1, 0.5, None]
    assert [line["x"] for line in accuracy["lines"]] == [[1, 2, 3]]
    values = {line["name"]: line["y"] for line in f1["lines"]}
    assert values == {"validation 0": [1, 0, 0], "validation 1": [0, 1, 0]}


def test_curves_of_several_models_are_told_apart(written):
    compared = comparison()
    compared.curves[1]["model"] = "original"
    (chart,) = written(explanation(), comparison=compared)["charts"]
    names = [line["name"] for line in chart["lines"]]
    assert names == ["LAP, with LAP", "Grad-CAM, original"]


broken = squares()
broken[3, 1, 1, 1] = np.nan


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (({},), ValueError, "at least one explanation"),
        ((squares(),), TypeError, r"`keras_lap.explain` returns.*Received: a ndarray"),
        (({"flow": explanation()[:0]},), ValueError, "at least one image"),
        (
            ({"a": explanation(), "b": explanation(images=np.zeros((8, 32, 32, 3)))},),
            ValueError,
            "same images, in the same order.*other images for 'b' than for 'a'",
        ),
        (
            ({"a": explanation(), "b": explanation(labels=LABELS[::-1])},),
            ValueError,
            "other labels for 'b'",
        ),
        ((explanation(broken),), ValueError, "finite maps.*'flow', image 3"),
        (
            (explanation(predictions=PREDICTIONS * np.nan),),
            ValueError,
            "finite predictions",
        ),
    ],
)
def test_bad_explanations(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        report(*arguments, tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"samples": 0}, ValueError, "positive integer. Received: samples=0"),
        ({"samples": 1.5}, ValueError, "Received: samples=1.5"),
        ({"history": [1, 2]}, TypeError, "Received: a list"),
        ({"history": {"f1": [1, [2, 3]]}}, ValueError, r"\[2, 3\]\] for 'f1'"),
        ({"history": {"lr": 0.1}}, ValueError, "Received: 0.1 for 'lr'"),
        ({"comparison": {}}, TypeError, "evaluation.compare.*Received: a dict"),
    ],
)
def test_bad_options(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        report(explanation(), tmp_path / "report.html", **options)
    assert list(tmp_path.iterdir()) == []


def test_swapped_arguments(tmp_path):
    path = tmp_path / "report.html"
    with pytest.raises(TypeError, match=r"Call `report\(explanations, path\)`"):
        report(path, explanation())
    assert not path.exists()


def test_a_path_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="a folder that exists"):
        report(explanation(), tmp_path / "missing" / "report.html")
    with pytest.raises(IsADirectoryError):
        report(explanation(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}*"))


def test_an_old_report_outlives_a_failure(tmp_path, monkeypatch):
    path = report(explanation(), tmp_path / "report.html", title="old")
    before = path.read_bytes()

    def full(self, text, **options):
        with self.open("w") as file:
            file.write(text[:100])
        raise OSError("No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        report(explanation(), path, title="new")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["matplotlib", "PIL"])
def test_missing_library(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install \"keras-lap\[plot\]\""):
        report(explanation(), tmp_path / "report.html")


def luminance(colour):
    """Relative luminance of WCAG 2."""
    shares = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(
        shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4
    )
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(theme):
    style = importlib.resources.files("keras_lap.report").joinpath("page", "report.css")
    light, dark = re.findall(r":root \{(.*?)\}", style.read_text("utf-8"), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", light))
    if theme == "dark":
        colours |= dict(re.findall(r"--([\w-]+): (#\w{6})", dark))

    def contrast(one, other):
        low, high = sorted(luminance(colours[name]) for name in (one, other))
        return (high + 0.05) / (low + 0.05)

    for ground in ("ground", "panel", "accent-ground"):
        for ink in ("ink", "quiet", "accent", "right", "wrong"):
            assert contrast(ink, ground) >= 4.5, (ink, ground)
    for index in range(8):
        assert contrast(f"line-{index}", "panel") >= 3
