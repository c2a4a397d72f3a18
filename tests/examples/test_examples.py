"""Every example and benchmark runs, on a small scale."""

import csv
import importlib
import json
import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from effort import THOROUGH

from keras_lap.cli.pooling_shapes import POOLING_SHAPES, PoolingShape
from keras_lap.datasets import ClutteredDigitsConfig
from keras_lap.datasets.cluttered_digits import render_example
from keras_lap.utils.paired_rounds import QUARTILES

ROOT = pathlib.Path(__file__).parents[2]
TRAIN, TEST = (128, 64) if THOROUGH else (32, 32)
CLUTTER, DECOY = (
    ClutteredDigitsConfig(name, decoy=decoy, train=TRAIN, validation=8, test=TEST)
    for name, decoy in (("tiny_clutter", False), ("tiny_decoy", True))
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Holds both data sets from the first test on that reads them."""
    return str(tmp_path_factory.mktemp("data"))


# In a thorough run the notebooks train the same network in a graph.
@pytest.mark.usefixtures("eager")
def test_quickstart(tmp_path, data_dir, capsys):
    import quickstart

    figure = tmp_path / "pictures" / "quickstart.png"
    quickstart.main(
        ["--epochs", "1", "--data-dir", data_dir, "--figure", str(figure)],
        config=DECOY,
    )
    printed = capsys.readouterr().out
    assert float(re.search(r"at conversion: (\S+)", printed).group(1)) <= 1e-5
    before = re.search(r"before +(\S+) +(\S+) +Grad-CAM +(\S+) +(\S+)", printed)
    test, shifted, *grad_cam = (float(figure) for figure in before.groups())
    assert test >= 0.95
    assert shifted <= 0.3
    after = re.search(r"LAP +(\d\S+) +(\d\S+)", printed)
    for value in (*grad_cam, *(float(figure) for figure in after.groups())):
        assert 0 <= value <= 1
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "Honest ceiling" in printed
    assert "make report" not in printed


def small_backbone(weights=None):
    """A network with the stages, and the layer, that the demo's plan names."""
    x = image = keras.Input((64, 64, 3))
    for layer in (
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3, 2, padding="same", name="conv1_conv"),
        keras.layers.MaxPooling2D(),
        keras.layers.BatchNormalization(),
        keras.layers.MaxPooling2D(),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10, activation="softmax"),
    ):
        x = layer(x)
    return keras.Model(image, x)


@pytest.mark.usefixtures("eager")
def test_quickstart_from_downloaded_weights(tmp_path, data_dir, capsys, monkeypatch):
    import quickstart

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(quickstart, "build_backbone", small_backbone)
    options = ["--weights=imagenet", "--epochs=1", f"--data-dir={data_dir}"]
    quickstart.main(options, config=DECOY)
    printed = capsys.readouterr().out
    assert "Honest ceiling" not in printed
    assert "make report" not in printed
    (original,) = re.findall(r"--original (\S+)", printed)
    x = np.ones((1, 64, 64, 3), "float32")
    trained, converted = (
        keras.saving.load_model(path)(x)
        for path in (original, "results/quickstart.keras")
    )
    assert np.abs(trained - converted).max() > 0


def test_quickstart_names_the_checkpoint_and_make(tmp_path, capsys, monkeypatch):
    import quickstart

    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    quickstart.save(None, small_backbone(), quickstart.parse_arguments([]))
    printed = capsys.readouterr().out
    assert "`make report`" in printed
    (original,) = re.findall(r"--original (\S+)", printed)
    assert (tmp_path / original).resolve() == quickstart.CHECKPOINT


EVEN = "a map that is even everywhere"


@pytest.fixture
def story(tmp_path, data_dir, capsys, request):
    """Runs an example on a small scale and returns its table, a dict of rows.

    In a thorough run it trains for so many epochs, otherwise for `few`, of a step each.
    """

    def run(name, config=CLUTTER, epochs=1, few=1):
        if not THOROUGH:
            epochs = few
        if epochs <= 2:
            # Such a training is over before a graph would be traced.
            request.getfixturevalue("eager")
        figure = tmp_path / "pictures" / "maps.png"
        options = {
            "epochs": epochs,
            "train": TRAIN,
            "data-dir": data_dir,
            "figure": figure,
        }
        importlib.import_module(name).main(
            [f"--{option}={value}" for option, value in options.items()], config=config
        )
        assert figure.read_bytes().startswith(b"\x89PNG")
        printed = capsys.readouterr().out
        rows = re.findall(r"^(\S.*?)  +((?:\d\.\d{3} *)+)$", printed, re.MULTILINE)
        table = {row: [float(cell) for cell in cells.split()] for row, cells in rows}
        for cells in table.values():
            assert all(0 <= cell <= 1 for cell in cells)
        # The share of the pixels that belong to digits, for pointing and for energy.
        examples = (
            render_example("test", i, decoy=config is DECOY) for i in range(TEST)
        )
        masks = [example["mask"] for example in examples]
        even = round(float(np.mean(masks)), 3)
        assert table.pop(EVEN) == [even, even]
        return table

    return run


def test_labels_only(story, monkeypatch):
    import labels_only

    train, trained = labels_only.train, []

    def kept(*arguments):
        trained.append(train(*arguments))
        return trained[-1]

    monkeypatch.setattr(labels_only, "train", kept)
    table = story("labels_only", epochs=2, few=2)
    assert {name: len(row) for name, row in table.items()} == {
        "labels": 3,
        "labels, Presence": 3,
    }
    alone, with_presence = (model.history.history for model in trained)
    assert "presence" not in alone
    first, second = with_presence["presence"]
    assert second < first


def test_boxes(story):
    table = story("boxes", epochs=8)
    assert list(table) == ["labels", "labels, some boxes"]
    if THOROUGH:
        energy = {name: row[2] for name, row in table.items()}
        assert energy["labels, some boxes"] > 1.5 * energy["labels"]


def test_attributes(story):
    table = story("attributes")
    labels = np.array([render_example("test", i)["label"] for i in range(TEST)])
    # What is right where no attribute is found: 4, 2, 4 and 3 of the digits have one.
    counts = np.array([1, 1, 2, 1, 2, 2, 1, 1, 1, 1])[labels]
    absent = table.pop("no attribute anywhere")
    assert absent[1] == pytest.approx(1 - counts.mean() / 4, abs=5e-4)
    assert len(table) == 3
    assert all(len(row) == 5 for row in table.values())


def test_right_reasons(story):
    table = story("right_reasons", DECOY, epochs=4)
    assert list(table) == ["labels", "RightReasons", "MaskSupervision"]
    assert all(len(row) == 4 for row in table.values())
    if THOROUGH:
        energy = {name: row[3] for name, row in table.items()}
        assert energy["MaskSupervision"] > 1.2 * energy["labels"]


def test_checkpoint_is_small_and_cheats_as_its_log_says():
    log = json.loads((ROOT / "examples/backbone/log.json").read_text())
    path = ROOT / "examples/backbone/decoy.keras"
    assert path.stat().st_size < 5_000_000
    model = keras.saving.load_model(path)
    count = 100
    for split, logged in log["decoy"]["accuracy"].items():
        examples = [render_example(split, i, decoy=True) for i in range(count)]
        images, labels = (
            np.array([e[key] for e in examples], "float32")
            for key in ("image", "label")
        )
        right = model.predict(images, verbose=0).argmax(-1) == labels
        # Four standard errors of the share in a sample of this size.
        spread = 4 * np.sqrt(max(logged * (1 - logged), 0.001) / count)
        assert right.mean() == pytest.approx(logged, abs=spread)
    assert log["decoy"]["accuracy"]["test_shifted"] < 0.2
    assert log["clutter"]["accuracy"]["test"] > 0.9


@pytest.mark.usefixtures("eager")
def test_make_backbone(tmp_path, data_dir, monkeypatch):
    import make_backbone

    monkeypatch.setattr(make_backbone, "build_backbone", small_backbone)
    tests = ("test", "test_shifted")
    model, history, accuracies = make_backbone.train(DECOY, 1, tests, data_dir)
    assert set(accuracies) == set(tests)
    assert np.isfinite(history["loss"][0])
    path = tmp_path / "bare.keras"
    make_backbone.save_without_optimizer(model, path)
    bare = keras.saving.load_model(path)
    assert not bare.compiled
    x = np.zeros((1, 64, 64, 3), "float32")
    np.testing.assert_array_equal(bare(x), model(x))


def test_benchmark(tmp_path):
    import bench_la_pool

    path = tmp_path / "la_pool.csv"
    bench_la_pool.main(
        ["--batch", "1", "--rounds", "3", "--shapes", "1", "--csv", str(path)]
    )
    rows = list(csv.DictReader(path.open()))
    assert len(rows) == 4 * (len(bench_la_pool.PROVIDERS) + 1)
    for row in rows:
        quartiles = [float(row[name]) for name in QUARTILES]
        assert 0 < quartiles[0] <= quartiles[1] <= quartiles[2]
        if row["provider"] == bench_la_pool.BASELINE.name:
            assert quartiles == [1, 1, 1]
        if row["provider"] == bench_la_pool.COPY:
            assert row["peak_mib"] == ""
        else:
            # The result at least, a quarter of the input.
            assert float(row["peak_mib"]) >= 224 * 224 * 64 * 4 / 4 / 2**20
    table = path.with_suffix(".md").read_text().splitlines()
    assert len(table) == 2 + 4
    assert len({line.count("|") for line in table}) == 1


def test_benchmark_where_memory_is_not_counted(tmp_path, monkeypatch):
    import bench_la_pool

    def refuse(device):
        raise ValueError(f"Cannot reset memory stats for device '{device}'")

    monkeypatch.setattr(tf.config.experimental, "reset_memory_stats", refuse)
    monkeypatch.setattr(bench_la_pool, "POOLING_SHAPES", POOLING_SHAPES[-1:])
    path = tmp_path / "la_pool.csv"
    bench_la_pool.main(["--batch", "1", "--rounds", "1", "--csv", str(path)])
    assert {row["peak_mib"] for row in csv.DictReader(path.open())} == {""}
    assert path.with_suffix(".md").read_text().count("| - / - |") == 4


def test_benchmark_pools_the_same_whatever_layout_is_configured(request):
    import bench_la_pool

    request.addfinalizer(lambda: keras.config.set_image_data_format("channels_last"))
    keras.config.set_image_data_format("channels_first")
    x, scores = (np.ones((1, 4, 6, count), "float32") for count in (3, 1))
    shape = PoolingShape("small", (4, 6, 3), 2, 2)
    for provider in bench_la_pool.PROVIDERS:
        assert provider.pool(shape, x, scores).shape == (1, 2, 3, 3)


@pytest.mark.usefixtures("eager")
def test_opening_the_gate(tmp_path, data_dir):
    import opening_the_gate

    path = tmp_path / "gate.csv"
    variant = "the first pooling does not gate"
    assert variant in opening_the_gate.LAYERS
    opening_the_gate.main(
        [
            "--epochs=1",
            f"--data-dir={data_dir}",
            f"--csv={path}",
            "--variants",
            variant,
        ],
        config=DECOY,
    )
    (row,) = csv.DictReader(path.open())
    assert row["variant"] == variant
    assert 0 <= float(row["validation_shifted"]) <= 1
    assert 0 < float(row["energy in the mask"]) <= 1


@pytest.mark.usefixtures("eager")
def test_absence(tmp_path, data_dir):
    import absence

    path = tmp_path / "absence.csv"
    arguments = ["--epochs", "3", "--data-dir", data_dir, "--csv", str(path)]
    absence.main([*arguments, "--weights", "0", "100"], config=CLUTTER)
    rows = list(csv.DictReader(path.open()))
    assert [row.pop("weight of Absence") for row in rows] == ["0", "100"]
    for row in rows:
        assert row.pop("epochs") == "3"
        assert all(0 <= float(value) <= 1 for value in row.values())
    assert rows[0] != rows[1]
