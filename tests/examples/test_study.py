"""The study runs as a whole, on a small scale, and its cells where no TensorFlow is."""

import csv
import dataclasses
import importlib

import keras
import numpy as np
import pytest
from backend_limits import shown_on_tensorflow
from keras import layers

import keras_lap

pytestmark = pytest.mark.torch_suffices


@pytest.fixture(autouse=True)
def no_graphs(request):
    if keras.config.backend() == "tensorflow":
        request.getfixturevalue("eager")


@pytest.fixture
def tiny_family(monkeypatch):
    """A network of two convolutions in the place of two of the families."""
    from study_grid.families import FAMILIES, Family

    class Tiny(Family):
        def build(self, image_size, outputs, activation, seed):
            keras.utils.set_random_seed(seed)
            image = keras.Input((image_size, image_size, 3))
            x = layers.Rescaling(1 / 255)(image)
            x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
            x = layers.MaxPooling2D(name="pool")(x)
            x = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
            x = layers.GlobalAveragePooling2D(name="head_pool")(x)
            x = layers.Dense(outputs, name="classifier")(x)
            x = layers.Activation(activation, name="probabilities")(x)
            return keras.Model(image, x)

    for name in ("ResNet50V2", "MobileNetV2"):
        monkeypatch.setitem(FAMILIES, name, Tiny(name, "none"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A workshop with sets of random images: one label, and several."""
    from study_grid.sizes import QUICK
    from study_grid.workshop import Workshop

    rng = np.random.default_rng(0)
    made = Workshop(tmp_path_factory.mktemp("study"), QUICK)
    (made.folder / "arrays").mkdir()
    for name, several in (("decoy", False), ("crowded", True), ("beetles", False)):
        arrays = {}
        for split in ("train", "validation", "test", "test_shifted"):
            shape = (16, 64, 64)
            found = {
                "image": rng.integers(256, size=(*shape, 3)).astype("uint8"),
                "label": rng.integers(8, size=16),
                "mask": np.zeros(shape, "uint8"),
                "boxes": np.tile(np.float32([0.25, 0.25, 0.75, 0.75]), (16, 1, 1)),
                "concepts": rng.integers(2, size=(16, 5)).astype("float32"),
            }
            found["mask"][:, 16:48, 16:48] = 255
            if several:
                found["label"] = (rng.random((16, 10)) < 0.3).astype("float32")
                found["mask"] = np.repeat(found["mask"][..., None], 10, axis=-1)
                found["box_concepts"] = np.full((16, 1), 3)
            arrays |= {f"{split}/{key}": values for key, values in found.items()}
        np.savez(made.arrays_path(name), **arrays)
    return made


@pytest.fixture
def workshop(filled, tiny_family):
    """The same for all tests: a network that one has trained is there for the next."""
    return filled


def rows_of(workshop, kind, name, arm):
    """Computes a cell, and what it needs, and returns its rows as numbers."""
    from study_grid.cell import Cell
    from study_grid.run import run

    cell = Cell(kind, name, "ResNet50V2", 0, arm)
    failures = run([cell], workshop, workers=0)
    assert not failures, failures
    found = [row for row in workshop.results() if row["arm"] == arm]
    values = {
        (row["explainer"], row["metric"]): float(row["value"])
        for row in found
        if row["kind"] == kind
    }
    broken = {key for key, value in values.items() if not np.isfinite(value)}
    assert not broken
    return values


@pytest.mark.parametrize(
    "arm",
    [
        "LAP + labels",
        "LAP + boxes, 5 %",
        "RRR, 5 %",
        "GAIN, 5 %",
        pytest.param("ablation: sufficiency + areas", marks=pytest.mark.thorough),
    ],
)
def test_networks_are_told(workshop, arm):
    from study_grid.cell import TRAIN

    found = rows_of(workshop, TRAIN, "decoy", arm)
    for split in ("validation", "test", "test_shifted"):
        assert 0 <= found["", f"quality on {split}"] <= 1
    has_maps = ("LAP (flow)", "pointing_game") in found
    assert has_maps == arm.startswith(("LAP", "ablation"))


@pytest.mark.parametrize(
    "name, arm",
    [("crowded", "LAP + masks, tuned"), ("beetles", "LAP + attributes, tuned")],
)
def test_several_labels_and_attributes(workshop, name, arm):
    from study_grid.cell import TRAIN, Cell

    assert 0 <= rows_of(workshop, TRAIN, name, arm)["", "quality on test"] <= 1
    network = workshop.network(Cell(TRAIN, name, "ResNet50V2", 0, arm))
    concepts = [layer.concepts for layer in keras_lap.lap_layers(network)]
    assert concepts[-1] == {"crowded": 10, "beetles": 5}[name]


def test_explainers_are_compared(workshop, monkeypatch):
    from study_grid import explain_cell
    from study_grid.cell import EXPLAIN

    # Untrained networks are hardly ever right.
    monkeypatch.setattr(
        explain_cell, "right_answers", lambda labels, *predicted: labels
    )
    found = rows_of(workshop, EXPLAIN, "decoy", "LAP + masks, tuned")
    assert found["", "explained images"] == workshop.sizes.explained
    for explainer in workshop.sizes.explainers:
        measured = {metric for name, metric in found if name == explainer}
        assert "pointing_game on LAP network" in measured
        assert "insertion on LAP network" in measured
        assert ("deletion on original network" in measured) == (explainer != "LAP")
        assert ("parameter_randomisation on LAP network" in measured) == (
            explainer != "RISE"
        )


def test_costs_are_measured(workshop):
    from study_grid.cell import COST

    found = rows_of(workshop, COST, "decoy", "LAP + masks, tuned")
    assert found["training, original", "time / original, 50 %"] == 1
    assert found["training, LAP + masks", "time / original, 25 %"] > 0
    assert found["LAP", "ms per image"] > 0


@shown_on_tensorflow
@pytest.mark.usefixtures("tiny_family")
@pytest.mark.tensorflow_too
def test_quick_study(tmp_path, capsys, monkeypatch):
    pytest.importorskip("tensorflow_datasets", reason="the sets are built by TFDS")
    study = importlib.import_module("study")
    from study_grid.sizes import QUICK, SIZES
    from study_grid.workshop import Workshop

    quick = dataclasses.replace(QUICK, explainers=("LAP", "GradCAM", "Random"))
    monkeypatch.setitem(SIZES, "quick", quick)
    # The function hides its module.
    write_page = importlib.import_module("study_grid.page.write_page")
    monkeypatch.setattr(write_page, "DPI", 20)
    folder = tmp_path / "study"
    arguments = ["--quick", "--seeds", "1", "--workers", "0", "--folder", str(folder)]
    arguments += ["--data-dir", str(tmp_path / "data"), "--sets", "decoy"]
    assert study.main(arguments) == 0, capsys.readouterr().err
    assert "0:00:00 left]" in capsys.readouterr().out
    rows = list(Workshop(folder, quick).results())
    assert {row["kind"] for row in rows} == {"train", "explain"}
    assert {row["arm"] for row in rows} == set(QUICK.arms)
    page = (folder / "docs" / "study.md").read_text()
    for letter in "ABCDEF":
        assert f"\n## {letter}. " in page
    # All is there already: only the page is written again, with its pictures.
    saved = []
    monkeypatch.setattr(
        "matplotlib.figure.Figure.savefig", lambda _, path, dpi: saved.append(path)
    )
    assert study.main(arguments) == 0
    assert "left]" not in capsys.readouterr().out
    assert saved and all(path.exists() for path in saved)
    assert (folder / "docs" / "study.md").read_text() == page


def test_what_is_unknown_is_refused(tmp_path):
    study = importlib.import_module("study")
    for option, value in (
        ("--questions", "AX"),
        ("--sets", "cluter"),
        ("--families", "VGG"),
    ):
        with pytest.raises(ValueError, match=value[-1]):
            study.main([option, value, "--folder", str(tmp_path)])
    assert not list(tmp_path.iterdir())


def answer_rightly(monkeypatch):
    """Takes labels for right answers: untrained networks hardly ever give one."""
    import taught_networks

    monkeypatch.setattr(
        taught_networks, "right_answers", lambda labels, *predicted: labels
    )


def test_maps_with_certainty_are_compared(workshop, tmp_path, monkeypatch):
    import map_certainty
    from study_grid.cell import TRAIN
    from study_grid.workshop import Workshop

    path = tmp_path / "certainty.csv"
    folder = ["--size", "quick", "--csv", str(path), "--folder"]
    with pytest.raises(FileNotFoundError, match="make study"):
        map_certainty.main([*folder, str(tmp_path)])
    rows_of(workshop, TRAIN, "decoy", "LAP + masks, tuned")
    answer_rightly(monkeypatch)
    load = Workshop.network

    def with_uneven_scores(*cell):
        network = load(*cell)
        for layer in keras_lap.lap_layers(network):
            kernel = layer.head.logits.kernel
            # Larger ones could make all scores 0 or 1.
            uneven = np.random.default_rng(0).normal(scale=0.1, size=kernel.shape)
            kernel.assign(uneven)
        return network

    monkeypatch.setattr(Workshop, "network", with_uneven_scores)
    map_certainty.main([*folder, str(workshop.folder), "--images", "4"])
    alone, sure = csv.DictReader(path.open())
    assert (alone["maps"], sure["maps"]) == ("scores alone", "with certainty")
    assert alone["energy_in_mask"] != sure["energy_in_mask"]
    assert {"insertion", "deletion", "road", "mu_fidelity"} < set(sure)


def test_what_is_measured_after_the_map(workshop, tmp_path, monkeypatch):
    import after_the_map
    from study_grid.cell import TRAIN

    rows_of(workshop, TRAIN, "decoy", "LAP + masks, tuned")
    answer_rightly(monkeypatch)
    path = tmp_path / "after.csv"
    folder = ["--folder", str(workshop.folder), "--size", "quick"]
    after_the_map.main([*folder, "--csv", str(path), "--images", "4"])
    rows = list(csv.DictReader(path.open()))
    names = [row["maps"] for row in rows]
    zeros = ["LAP, zeros by nearness", "LAP, zeros by share"]
    assert names[:4] == ["LAP", *zeros, "true masks"]
    # An image without any pixel is the same whatever went first.
    assert len({row[after_the_map.GONE[1]] for row in rows}) == 1


def test_zeros_go_by_nearness():
    from after_the_map import by_nearness

    maps = np.zeros((2, 2, 3), "float32")
    maps[0, 0, 0] = 0.5
    expected = [[0.5, -1, -2], [-1, -np.sqrt(2), -np.sqrt(5)]]
    np.testing.assert_array_equal(by_nearness(maps), np.float32([expected, maps[1]]))
    assert maps.min() == 0


def test_zeros_go_by_their_share_in_the_score():
    from after_the_map import by_share

    maps = np.zeros((2, 1, 3), "float32")
    maps[0, 0, 0] = 0.5
    shares = np.float32([[[-4, -2, 1]], [[0, 0, 0]]])
    expected = np.float32([[[0.5, -2.5, -1.75]], [[-2, -2, -2]]])
    np.testing.assert_array_equal(by_share(maps, shares), expected)


def test_shares_make_up_the_score():
    from after_the_map import shares
    from study_grid.arms import LAP_MASKS_TUNED
    from study_grid.networks import with_lap
    from study_grid.sets import SETS
    from test_study_grid import small_network

    model = with_lap(small_network(), LAP_MASKS_TUNED, SETS["clutter"])
    for layer in keras_lap.lap_layers(model):
        layer.gate.assign(1.0)
    images = np.random.default_rng(0).random((3, 16, 16, 3)).astype("float32")
    targets = np.array([0, 2, 1])
    classifier = model.get_layer("classifier")
    scores = keras.Model(model.inputs, classifier.output)([images])
    scores = keras.ops.convert_to_numpy(scores - classifier.bias)
    # Every pixel of 8 x 8 features is four of the image.
    found = shares(model, images, targets).sum(axis=(1, 2)) / 4
    np.testing.assert_allclose(found, scores[range(3), targets], rtol=1e-4, atol=1e-6)


def test_score_gains_are_compared(workshop, tmp_path):
    import score_gain
    from study_grid.cell import TRAIN, Cell

    # As after `--adopt`: rows are there, and the network is not.
    original = Cell(TRAIN, "beetles", "ResNet50V2", 0, "original")
    workshop.save_results(original, [], {})
    workshop.network_path(original).unlink(missing_ok=True)
    path = tmp_path / "gain.csv"
    arguments = [
        "--size",
        "quick",
        "--folder",
        str(workshop.folder),
        "--csv",
        str(path),
    ]
    score_gain.main([*arguments, "--anneal", "0.5", "--gains", "1", "100"])
    slow, fast = csv.DictReader(path.open())
    assert (slow["gain"], fast["gain"]) == ("1.0", "100.0")
    means = [np.array(row["mean scores"].split(), float) for row in (slow, fast)]
    # All start at 0.95, and the pooling and the head have one each.
    slow, fast = (np.abs(each - 0.95) for each in means)
    assert slow.shape == (2,)
    assert fast.max() > slow.max()


def test_families():
    from study_grid.arms import LAP_MASKS_TUNED
    from study_grid.families import FAMILIES
    from study_grid.networks import with_lap
    from study_grid.sets import SETS

    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3))
    built = {
        name: family.build(64, 10, "softmax", 0) for name, family in FAMILIES.items()
    }
    for name in FAMILIES:
        converted = with_lap(built[name], LAP_MASKS_TUNED, SETS["decoy"])
        convolutions = [
            layer
            for layer in converted._flatten_layers()
            if type(layer) is keras.layers.Conv2D
        ]
        # All but the first run at stride 1.
        assert [layer.strides for layer in convolutions].count((2, 2)) == 1
        outputs, expected = (
            keras.ops.convert_to_numpy(network(images))
            for network in (converted, built[name])
        )
        np.testing.assert_allclose(outputs, expected, atol=1e-5)
    again, other = (
        FAMILIES["MobileNetV2"].build(64, 10, "softmax", seed).get_weights()
        for seed in (0, 1)
    )
    for first, second in zip(again, built["MobileNetV2"].get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    changed = [
        np.abs(first - second).max()
        for first, second in zip(again, other, strict=True)
        if first.ndim == 4
    ]
    assert min(changed) > 0


@shown_on_tensorflow
@pytest.mark.usefixtures("tiny_family")
@pytest.mark.parametrize("name", ["caltech_birds2011", "imagenet2012"])
@pytest.mark.one_in(2)
@pytest.mark.tensorflow_too
def test_sets_that_are_downloaded(tmp_path, monkeypatch, name):
    pytest.importorskip("tensorflow_datasets", reason="the sets are built by TFDS")
    from common.drawn_examples import drawn_examples
    from study_grid.cell import TRAIN
    from study_grid.export_sets import export_sets
    from study_grid.sets import SETS
    from study_grid.sizes import QUICK
    from study_grid.workshop import Workshop

    made = Workshop(tmp_path / "study", QUICK)
    with drawn_examples(16):
        export_sets(made, [name], tmp_path)
    arm = "LAP + masks" if SETS[name].has_masks else "LAP"
    found = rows_of(made, TRAIN, name, arm)
    assert 0 <= found["", "quality on test"] <= 1
    assert (("LAP (flow)", "energy_in_mask") in found) == SETS[name].has_masks
    from study_grid.grid import QUESTIONS, cells

    arms = {cell.arm for cell in cells(QUESTIONS, [name], ["ResNet50V2"], [0])}
    assert arm in arms
    assert ("LAP + masks" in arms) == SETS[name].has_masks
