"""`keras-lap explain` and `keras-lap evaluate`, and the examples of every command."""

import csv
import dataclasses
import pathlib
import re
import shlex
import shutil
import sys
import types
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from random_examples import random_examples

import keras_lap
from keras_lap import cli, datasets
from keras_lap.classifier.image_input import ImageInput
from keras_lap.cli import evaluate, explain, model_argument
from keras_lap.cli.distinct_names import names_of_files
from keras_lap.cli.explainer_arguments import explainers_of
from keras_lap.cli.main import COMMANDS
from keras_lap.cli.preprocessing import preprocessing
from keras_lap.cli.read_data import read_data
from keras_lap.cli.verbosity import verbosity
from keras_lap.evaluation.explainers import LAP
from keras_lap.files.image_files import image_files
from keras_lap.report.write_page import write_page

pytest.importorskip("PIL", reason="Pillow is not installed")

pytestmark = pytest.mark.usefixtures("eager", "one_round")

SIZE, CLASSES = 8, 3
DATA = np.random.default_rng(0)
IMAGES = DATA.integers(0, 256, (6, SIZE, SIZE, 3), "uint8")
LABELS = np.arange(6) % CLASSES
NOT_FINITE = np.isin(np.arange(6), [1, 4])[:, None, None, None]
MASKS = np.zeros((6, SIZE, SIZE), bool)
MASKS[:, 1:6, 3:7] = True


def make_network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(name="pool"),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(name="head"),
            layers.Dense(CLASSES, activation="softmax"),
        ],
        name="net",
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the files that the examples name."""
    folder = tmp_path_factory.mktemp("files")
    network = make_network()
    network.save(folder / "model.keras")
    keras_lap.convert(network).save(folder / "lap.keras")
    np.savez(folder / "data.npz", image=IMAGES, label=LABELS, mask=MASKS)
    white = 255 * MASKS[..., None]
    for index, label in enumerate(LABELS):
        for path, array in (
            (f"photos/{index}.png", IMAGES[index]),
            (f"pictures/class {label}/{index}.png", IMAGES[index]),
            (
                f"pictures/masks/class {label}/{index}.png",
                white[index],
            ),
        ):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            keras.utils.save_img(folder / path, array, scale=False)
    return folder


@pytest.fixture
def galleries(monkeypatch):
    """The explanations of all reports that are made."""
    made = []

    def watched(path, explanations, *arguments, **options):
        made.append(explanations)
        return write_page(path, explanations, *arguments, **options)

    monkeypatch.setattr(evaluate, "write_page", watched)
    return made


@pytest.fixture
def there(files, monkeypatch):
    monkeypatch.chdir(files)
    return files


@pytest.fixture
def taken(there):
    return ImageInput.of(make_network())


EXAMPLES = [
    line
    for command in COMMANDS
    if command.name not in ("build", "doctor", "bench")
    for line in command.examples
]


@pytest.mark.parametrize("line", EXAMPLES)
@pytest.mark.one_in(2)
def test_examples_of_help(line, there, capsys):
    name, *arguments = shlex.split(line)
    assert name == "keras-lap"
    assert cli.main(arguments) == 0, capsys.readouterr().err


def test_explain_writes_what_explain_finds(there, tmp_path, capsys):
    out = tmp_path / "new" / "maps"
    photos = [f"photos/{index}.png" for index in (0, 1)]
    assert cli.main(["explain", "lap.keras", *photos, "-o", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "0.png",
        "1.png",
        "explanation.npz",
    ]
    written = keras_lap.Explanation.load(out / "explanation.npz")
    model = keras.saving.load_model("lap.keras")
    expected = keras_lap.explain(model, IMAGES[:2])
    np.testing.assert_array_equal(written.maps, expected.maps)
    assert written.files == photos
    for index, picture in enumerate(expected.overlay()):
        drawn = keras.utils.load_img(out / f"{index}.png")
        assert drawn.size == (256, 256)
        np.testing.assert_array_equal(np.asarray(drawn)[::32, ::32], picture)
        np.testing.assert_array_equal(np.asarray(drawn)[31::32, 31::32], picture)
    lines = capsys.readouterr().out.splitlines()
    output = f"{expected.outputs[0].max():.3g}"
    assert lines[0] == f"photos/0.png: class {expected.predicted[0]} ({output})"
    assert lines[-1] == f"Written to {out}"


def test_explain_draws_the_concepts_that_were_asked_for(there, tmp_path):
    arguments = ["explain", "lap.keras", "photos/0.png", "pictures/class 0"]
    options = ["--names", "ear", "tail", "left paw", "--concepts", "tail", "2"]
    assert cli.main([*arguments, "-o", str(tmp_path), *options]) == 0
    # Two of the files have the same name.
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        f"{name}_{concept}.png"
        for name in ("class 0_0", "class 0_3", "photos_0")
        for concept in ("left_paw", "tail")
    ]
    written = keras_lap.Explanation.load(tmp_path / "explanation.npz")
    assert written.concepts == [1, 2]


def test_explain_draws_each_of_several_concepts_of_one_name(there, tmp_path):
    arguments = ["explain", "lap.keras", "photos/0.png", "-o", str(tmp_path / "out")]
    arguments += ["--names", "a", "a", "b", "--concepts", "0", "1"]
    assert cli.main(arguments) == 0
    written = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert written == ["0_000_a.png", "0_001_a.png"]


@pytest.mark.parametrize(
    "files, expected",
    [
        (["a/0.png", "b/1.jpg"], ["0", "1"]),
        (["a/0.png", "b/0.jpg", "b/1.png"], ["a_0", "b_0", "b_1"]),
        (["a/0.png", "a/0.jpg"], ["0.png", "0.jpg"]),
        (["a/0.png", "a/0.jpg", "b/0.png"], ["a_0.png", "a_0.jpg", "b_0.png"]),
        (["x/a/0.png", "y/a/0.png"], ["x_a_0", "y_a_0"]),
        (["0.png", "../0.png"], ["here_0", "above_0"]),
        (["0.png", "1.png", "0.png"], ["000_0", "001_1", "002_0"]),
    ],
)
def test_pictures_have_the_names_of_their_files(files, expected, tmp_path, monkeypatch):
    here = tmp_path / "above" / "here"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    assert names_of_files(files) == expected


@pytest.mark.parametrize("form", ["size", "preprocess", "evaluate"])
def test_stretched_images_are_told_of(form, there, tmp_path, capsys):
    folder = tmp_path / "pictures"
    shutil.copytree("pictures", folder)
    file = folder / "class 0/0.png"
    keras.utils.save_img(file, np.zeros((SIZE, 2 * SIZE, 3)), scale=False)
    arguments = ["explain", "lap.keras", str(file), "-o", str(tmp_path / "out")]
    if form == "evaluate":
        for mask in folder.glob("masks/*/*.png"):
            is_wide = mask.parts[-2:] == ("class 0", "0.png")
            pixels = np.full((2 * SIZE, 2 * SIZE * (1 + is_wide), 1), 255)
            pixels[0, 0] = 0
            keras.utils.save_img(mask, pixels, scale=False)
        arguments = ["evaluate", "lap.keras", str(folder), "--explainers", "Edge"]
        arguments += ["--metrics", "sparsity", "--report", str(tmp_path / "it.html")]
    else:
        value = {"size": ["8", "8"], "preprocess": ["unit"]}[form]
        arguments += [f"--{form}", *value]
    assert cli.main(arguments) == 0
    told = capsys.readouterr().err
    assert "are stretched to that, the first" in told
    assert ("Masks cover at least 99% of" in told) == (form == "evaluate")


def test_explain_draws_the_concept_that_speaks_for_the_class(there, tmp_path):
    arguments = ["explain", "lap.keras", "photos/0.png", "-o", str(tmp_path)]
    assert cli.main([*arguments, "--class-concepts", "2", "0", "0"]) == 0
    written = keras_lap.Explanation.load(tmp_path / "explanation.npz")
    expected = [[0, 0, 1], [1, 0, 0], [1, 0, 0]]
    np.testing.assert_array_equal(written.class_concepts, expected)
    concept = (2, 0, 0)[written.predicted[0]]
    drawn = np.asarray(keras.utils.load_img(tmp_path / "0.png"))
    np.testing.assert_array_equal(drawn[::32, ::32], written.overlay(concept)[0])


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """A model that does not say what it takes."""

    def __init__(self, **options):
        super().__init__(**options)
        self.pool = keras_lap.GlobalLAPooling2D(concepts=CLASSES)
        self.dense = layers.Dense(CLASSES, activation="softmax")

    def call(self, images):
        return self.dense(self.pool(images))


def test_models_without_a_graph_get_floats(there, tmp_path, capsys):
    model = Subclassed()
    model(IMAGES.astype("float32"))
    model.save(tmp_path / "own.keras")
    given = [str(tmp_path / "own.keras"), "pictures"]
    out = ["-o", str(tmp_path / "maps"), "--size", "8", "8"]
    assert cli.main(["explain", *given, *out]) == 0, capsys.readouterr().err
    out = ["--report", str(tmp_path / "r.html"), "--explainers", "LAP"]
    arguments = ["evaluate", *given, *out, "--metrics", "pointing_game"]
    assert cli.main(arguments) == 0, capsys.readouterr().err


def test_explain_takes_folders_of_classes_but_not_their_masks(there, tmp_path):
    arguments = ["explain", "lap.keras", "pictures", "-o", str(tmp_path)]
    assert cli.main([*arguments, "--scale", "2"]) == 0
    written = keras_lap.Explanation.load(tmp_path / "explanation.npz")
    order = np.argsort(LABELS, kind="stable")
    assert written.files == [f"pictures/class {LABELS[at]}/{at}.png" for at in order]
    drawn = sorted(tmp_path.glob("*.png"))
    assert len(drawn) == len(IMAGES)
    assert keras.utils.load_img(drawn[0]).size == (2 * SIZE, 2 * SIZE)


def test_masks_in_folders_of_splits_are_no_images(tmp_path):
    image, mask = (tmp_path / f"train/{name}/0.png" for name in ("cat", "masks/cat"))
    for file in (image, mask):
        file.parent.mkdir(parents=True)
        file.touch()
    assert image_files([tmp_path]) == [image]
    assert image_files([mask.parent.parent]) == [mask]


def test_explain_says_which_maps_are_empty(capsys):
    maps = np.zeros((2, 2, 2, 2))
    maps[1, 0, 0, 1] = 1
    explanation = keras_lap.Explanation(
        maps,
        np.zeros((2, 2, 2, 3)),
        predictions=np.eye(2),
        concept_names=["ear", "tail"],
        files=["a.png", "b.png"],
    )
    explain._print(explanation, None)
    explain._print(explanation, ["ear", "tail"])
    assert capsys.readouterr().out.splitlines() == [
        "a.png: class 0 (1), nothing above zero",
        "b.png: class 1 (1)",
        "a.png: class 0 (1), nothing above zero for ear, tail",
        "b.png: class 1 (1), nothing above zero for ear",
    ]
    broken = dataclasses.replace(
        explanation, predictions=np.array([[0, 1], [0, np.nan]])
    )
    explain._print(broken[1:], ["ear", "tail"])
    assert capsys.readouterr().out == "b.png: no class, nothing above zero for ear\n"


# The network does so itself.
@pytest.mark.filterwarnings("ignore:The images, with values")
def test_explain_preprocesses_pixels_and_draws_them_as_they_were(there, tmp_path):
    arguments = ["explain", "lap.keras", "photos/3.png", "-o", str(tmp_path)]
    assert cli.main([*arguments, "--preprocess", "unit"]) == 0
    written = keras_lap.Explanation.load(tmp_path / "explanation.npz")
    model = keras.saving.load_model("lap.keras")
    expected = keras_lap.explain(model, IMAGES[3:4].astype("float32") / 255)
    np.testing.assert_array_equal(written.predictions, expected.predictions)
    np.testing.assert_array_equal(written.images, IMAGES[3:4])
    assert written.files == ["photos/3.png"]


def test_networks_of_keras_have_a_preprocessing_of_their_own():
    images = np.full((1, 2, 2, 3), 255, "uint8")
    as_trained = preprocessing("MobileNet")(images)
    np.testing.assert_array_equal(as_trained, np.ones((1, 2, 2, 3)))
    assert preprocessing("MobileNet", "none") is None
    assert preprocessing("model.keras") is None
    np.testing.assert_array_equal(
        preprocessing("model.keras", "tf")(images), as_trained
    )
    assert images.max() == 255


def test_preprocessing_is_of_channels_last():
    images = np.arange(2 * 3 * 5 * 3).reshape(2, 3, 5, 3)
    kinds = [("ResNet50", None), ("model.keras", "torch"), ("model.keras", "caffe")]
    expected = [preprocessing(*kind)(images) for kind in kinds]
    keras.config.set_image_data_format("channels_first")
    try:
        actual = [preprocessing(*kind)(images) for kind in kinds]
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["lap.keras", "photos", "--layers", "heat"], "Did you mean ['head'"),
        (["lap.keras", "photos/9.png"], "'photos/9.png'"),
        (["lap.keras", "empty"], "none that ends in one of .bmp"),
        (["model.keras", "photos"], "to have a LAP layer"),
        (["lap.keras", "photos", "--concepts", "7"], "indices from 0 to 2"),
        (
            ["lap.keras", "photos", "--names", "2", "1", "0", "--concepts", "1", "2"],
            "2, an index that is the name of 0 as well",
        ),
    ],
)
def test_explain_says_what_is_wrong_and_writes_nothing(
    arguments, reason, there, tmp_path, capsys
):
    pathlib.Path("empty").mkdir(exist_ok=True)
    assert cli.main(["explain", *arguments, "-o", str(tmp_path / "out")]) == 1
    assert reason in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_explain_adds_to_a_folder_only_by_force(there, tmp_path, capsys):
    (tmp_path / "notes.txt").touch()
    arguments = ["explain", "lap.keras", "photos/0.png", "-o", str(tmp_path)]
    assert cli.main(arguments) == 1
    assert "--force" in capsys.readouterr().err
    assert cli.main([*arguments, "--force"]) == 0
    assert len(list(tmp_path.iterdir())) == 3


def test_warnings_are_told_in_a_line(there, tmp_path, capsys):
    wide, out = str(tmp_path / "wide.png"), str(tmp_path / "out")
    keras.utils.save_img(wide, np.zeros((8, 16, 3)))
    assert cli.main(["explain", "lap.keras", wide, "-o", out]) == 0
    (line, *_) = capsys.readouterr().err.splitlines()
    assert line.startswith("keras-lap explain: 1 of 1 files have another aspect ratio")


def test_evaluate_writes_report_and_figures(there, tmp_path, capsys):
    report, table = tmp_path / "report.html", tmp_path / "figures.csv"
    options = {
        "--report": [report],
        "--csv": [table],
        "--original": ["model.keras"],
        "--explainers": ["LAP", "VanillaGradients", "Random"],
        "--metrics": ["pointing_game", "average_drop"],
        "--samples": [3],
        "--title": ["What it saw"],
    }
    given = [str(word) for name, words in options.items() for word in (name, *words)]
    assert cli.main(["evaluate", "lap.keras", "data.npz", *given]) == 0
    rows = [row for row in csv.DictReader(table.open()) if "per" not in row["metric"]]
    same = {
        (row["explainer"], row["metric"])
        for row in rows
        if row["protocol"] == "same model"
    }
    assert same == {
        (explainer, metric)
        for explainer in options["--explainers"]
        for metric in options["--metrics"]
    }
    assert {row["model"] for row in rows if row["protocol"] != "same model"} == {
        "model",
        "original",
    }
    assert {row["counted"] for row in rows} == {"3"}
    text = report.read_text()
    assert "What it saw" in text
    for name in ("LAP, all concepts", "Random", "Random, original"):
        assert f'"{name}"' in text
    # The places of the images in the file.
    assert re.findall(r'"index":(\d+)', text) == ["0", "2", "5"]
    assert '"total":6' in text
    out, err = capsys.readouterr()
    # Of the comparison and the gallery.
    assert err.count("layers are not open") == 1
    assert "\nmodel  LAP" in out and "|" not in out
    assert "masks for 3 of 3 images" in out


def test_evaluate_keeps_its_figures_where_the_report_fails(
    there, tmp_path, monkeypatch, capsys
):
    def fail(*arguments, **options):
        raise MemoryError("pictures of everything")

    monkeypatch.setattr(evaluate, "write_page", fail)
    page, table = tmp_path / "report.html", tmp_path / "figures.csv"
    given = ["--explainers", "Edge", "--metrics", "sparsity", "--csv", str(table)]
    arguments = ["evaluate", "lap.keras", "data.npz", "--report", str(page), *given]
    assert cli.main(arguments) == 1
    assert not page.exists()
    with table.open() as lines:
        assert "sparsity" in {row["metric"] for row in csv.DictReader(lines)}
    out, err = capsys.readouterr()
    assert "model  Edge" in out and "pictures of everything" in err


def test_the_report_of_many_images_explains_some(
    there, tmp_path, monkeypatch, galleries
):
    monkeypatch.setattr(evaluate, "_SHOWN", 3)
    arguments = ["evaluate", "lap.keras", "data.npz", "--explainers", "LAP"]
    page = tmp_path / "report.html"
    arguments += ["--metrics", "sparsity", "--report", str(page)]
    assert cli.main(arguments) == 0
    (gallery,) = galleries
    whole = keras_lap.explain(keras.saving.load_model("lap.keras"), IMAGES)
    some = [0, 2, 5]
    for explanation in gallery.values():
        np.testing.assert_array_equal(explanation.images, IMAGES[some])
        np.testing.assert_array_equal(explanation.labels, LABELS[some])
        np.testing.assert_array_equal(explanation.masks, MASKS[some])
        np.testing.assert_allclose(
            explanation.predictions, whole.predictions[some], rtol=1e-5
        )
        assert explanation.files is None
        assert explanation.from_logits is False
    for name, maps in (
        ("LAP, all concepts", whole.maps),
        ("LAP", whole.of()[..., None]),
    ):
        np.testing.assert_allclose(gallery[name].maps, maps[some], rtol=1e-5)
    text = page.read_text()
    assert '"total":6' in text
    assert list(map(int, re.findall(r'"index":(\d+)', text))) == some


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", "lap.keras", "photos", "-o", "maps"],
        ["evaluate", "lap.keras", "data.npz", "--report", "report.html"],
    ],
)
def test_what_draws_is_there_before_anything_is_computed(
    arguments, there, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for module in (explain, evaluate):
        monkeypatch.setattr(module, "read_model", None)
    assert cli.main(arguments) == 1
    assert "needs matplotlib" in capsys.readouterr().err


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="counts traces")
def test_evaluate_traces_each_model_for_few_shapes(there, tmp_path, monkeypatch):
    """TensorFlow warns of five traces in ten calls, of all models together."""
    tf.config.run_functions_eagerly(False)
    models = []

    def read_model(*arguments):
        models.append(model_argument.read_model(*arguments))
        return models[-1]

    monkeypatch.setattr(evaluate, "read_model", read_model)
    given = "--original model.keras --explainers Edge --metrics insertion --report"
    given = [*given.split(), str(tmp_path / "report.html")]
    assert cli.main(["evaluate", "lap.keras", "data.npz", *given]) == 0
    steps = [model.predict_function for model in models]
    # One for the images, and one for the filled batches of insertion.
    assert [step.experimental_get_tracing_count() for step in steps] == [2, 2]


@pytest.mark.parametrize(
    "data, reason",
    [
        ("nowhere", "Received: 'nowhere'"),
        ("photos", "6 images and no folder"),
        ("empty", "no folder in it"),
        ("model.keras", "ends in .npz"),
        ("tfds:mnist", "tfds:cluttered_digits/decoy:test"),
        ("broken/no_label.npz", "no label"),
        ("broken/text.npz", "as `numpy.savez` writes it. Received: 'broken/text.npz'"),
        ("broken/scalar.npz", "Received: image of shape ()"),
        ("broken/masks.npz", "to have known names. Received: 'masks'. Did"),
        ("broken/lengths.npz", "arrays of one length"),
        ("broken/large.npz", "('N', 8, 8, 3)"),
        ("broken/one_hot.npz", "(N, 3) for the 3 classes that the model predicts"),
        ("broken/parts.npz", "labels as whole numbers"),
        ("broken/nan.npz", "values in 2 of 6 images: 1, 4, counted from 0"),
        ("broken/many.npz", "labels from 0 to 2, of the 3 classes that the model"),
        ("pets", "a folder or name for each of the 3 classes of the model"),
    ],
)
def test_evaluate_says_what_is_wrong_with_data(data, reason, there, tmp_path, capsys):
    for folder in ("broken", "empty"):
        pathlib.Path(folder).mkdir(exist_ok=True)
    for name, arrays in {
        "no_label": {"image": IMAGES},
        "masks": {"image": IMAGES, "label": LABELS, "masks": MASKS},
        "scalar": {"image": 0.5, "label": LABELS},
        "lengths": {"image": IMAGES, "label": LABELS[:2]},
        "large": {"image": np.zeros((1, 9, 9, 3)), "label": LABELS[:1]},
        "one_hot": {"image": IMAGES, "label": np.eye(6)},
        "parts": {"image": IMAGES, "label": np.full(6, 0.5)},
        "nan": {"image": np.where(NOT_FINITE, np.nan, IMAGES), "label": LABELS},
        "many": {"image": IMAGES, "label": np.arange(6)},
    }.items():
        np.savez(f"broken/{name}.npz", **arrays)
    pathlib.Path("broken/text.npz").write_text("image,label")
    shutil.copytree("photos", "pets/cat", dirs_exist_ok=True)
    report = tmp_path / "report.html"
    assert cli.main(["evaluate", "lap.keras", data, "--report", str(report)]) == 1
    assert reason in capsys.readouterr().err
    assert not report.exists()


@pytest.mark.parametrize(
    "labels", [np.eye(CLASSES)[LABELS], LABELS[:, None], np.where(LABELS, LABELS, -1)]
)
def test_evaluate_takes_labels_of_every_form(
    labels, there, tmp_path, galleries, capsys
):
    # Of class 1 one row, of class 2 two.
    masks = np.arange(SIZE)[:, None, None] < np.arange(CLASSES)
    masks = np.broadcast_to(masks, (6, SIZE, SIZE, CLASSES))
    np.savez(tmp_path / "data.npz", image=IMAGES, label=labels, mask=masks)
    arguments = ["evaluate", "lap.keras", str(tmp_path / "data.npz"), "--explainers"]
    arguments += ["Edge", "--metrics", "sparsity", "--report", str(tmp_path / "a.html")]
    assert cli.main(arguments) == 0
    model = keras.saving.load_model("lap.keras")
    # The gallery outlines what is labelled, whatever the model predicts.
    (gallery,) = galleries
    masks = gallery["Edge"].masks
    np.testing.assert_array_equal(masks.sum(axis=(1, 2)), LABELS * SIZE)
    is_right = model.predict(IMAGES, verbose=0).argmax(-1) == LABELS
    accuracy = is_right[LABELS > 0 if np.min(labels) < 0 else LABELS >= 0].mean()
    assert f"Accuracy: {accuracy:.3f}" in capsys.readouterr().out


def test_evaluate_takes_one_class_for_all_images(there, tmp_path, galleries, capsys):
    """Of several labels, none is the class to explain."""
    report = tmp_path / "report.html"
    np.savez("several.npz", image=IMAGES, label=np.ones((6, CLASSES)))
    arguments = ["evaluate", "lap.keras", "several.npz", "--explainers", "LAP"]
    arguments += ["--metrics", "sparsity", "--report", str(report), "--targets"]
    assert cli.main([*arguments, "label"]) == 1
    assert "as by targets=0" in capsys.readouterr().err
    assert cli.main([*arguments, str(CLASSES)]) == 1
    assert "Received: [3]" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main([*arguments, "highest"])
    assert "the number of a class. Received: 'highest'" in capsys.readouterr().err
    assert not report.exists()
    assert cli.main([*arguments, "1"]) == 0
    assert "Accuracy" not in capsys.readouterr().out
    (gallery,) = galleries
    expected = LAP().explain(keras.saving.load_model("lap.keras"), IMAGES, 1)
    np.testing.assert_allclose(gallery["LAP"].maps[..., 0], expected, rtol=1e-5)


def test_evaluate_writes_no_figures_over_its_report(there, tmp_path, capsys):
    report = tmp_path / "report.html"
    arguments = ["evaluate", "lap.keras", "data.npz", "--report", str(report)]
    assert cli.main([*arguments, "--csv", str(tmp_path / "." / "report.html")]) == 1
    assert "different files" in capsys.readouterr().err


def test_evaluate_preprocesses_channels_wherever_they_are(tmp_path, monkeypatch):
    options = {"data_format": "channels_first"}
    network = keras.Sequential(
        [
            keras.Input((3, SIZE, SIZE)),
            layers.Conv2D(2, 3, **options),
            keras_lap.GlobalLAPooling2D(concepts=CLASSES, **options),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    monkeypatch.chdir(tmp_path)
    network.save("first.keras")
    np.savez("first.npz", image=IMAGES.transpose(0, 3, 1, 2), label=LABELS)
    seen, compare = [], keras_lap.evaluation.compare

    def watched(model, data, *arguments, **options):
        seen.append(data["image"])
        # The output of tests is no terminal.
        assert options["verbose"] is False
        return compare(model, data, *arguments, timing_rounds=0, **options)

    monkeypatch.setattr(keras_lap.evaluation, "compare", watched)
    arguments = ["evaluate", "first.keras", "first.npz", "--report", "first.html"]
    arguments += ["--explainers", "Random", "--metrics", "sparsity"]
    assert cli.main([*arguments, "--preprocess", "caffe"]) == 0
    expected = preprocessing("first.keras", "caffe")(IMAGES)
    np.testing.assert_array_equal(seen[0], expected.transpose(0, 3, 1, 2))


def test_evaluate_is_told_which_concept_stands_for_a_class(
    there, tmp_path, galleries, capsys
):
    few = tmp_path / "few.keras"
    keras_lap.convert(make_network(), concepts=2).save(few)
    arguments = ["evaluate", str(few), "data.npz", "--report", str(tmp_path / "r")]
    arguments += ["--force", "--explainers", "LAP", "--metrics", "sparsity"]
    assert cli.main(arguments) == 0
    assert "LAP(class_concepts=[...])" in capsys.readouterr().err
    for given in (["0", "1", "1"], ["highest"]):
        assert cli.main([*arguments, "--class-concepts", *given]) == 0
        assert "failed" not in "".join(capsys.readouterr())
    untold, told, highest = (
        gallery["LAP, all concepts"].class_concepts for gallery in galleries
    )
    assert untold is None and highest is None
    np.testing.assert_array_equal(told, [[1, 0], [0, 1], [0, 1]])
    assert cli.main([*arguments, "--class-concepts", "0", "1"]) == 1
    out, err = capsys.readouterr()
    assert "`class_concepts` of shape (3, 2)" in err
    assert "Comparison" not in out
    assert cli.main([*arguments, "--class-concepts", "0", "highest"]) == 1
    assert "highest alone" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--class-concepts", "first"])
    assert "expected a number of a concept" in capsys.readouterr().err


def test_concepts_of_classes_ask_for_no_explainer_that_cannot_be(there):
    options = types.SimpleNamespace(explainers=None, class_concepts=[2, 0, 0])
    for model, has_lap in (("model.keras", False), ("lap.keras", True)):
        found = explainers_of(options, keras.saving.load_model(model))
        assert ("LAP" in [explainer.name for explainer in found]) is has_lap


def _different_numbers(x):
    x = keras_lap.LAPooling2D(2, concepts=2)(x)
    x = keras_lap.GlobalLAPooling2D(concepts=CLASSES)(x)
    return layers.Dense(CLASSES, activation="softmax")(x)


def _no_concepts(x):
    x = keras_lap.GlobalLAPooling2D(scores="features", gating=None)(x)
    return layers.Dense(CLASSES, activation="softmax")(x)


def _of_another_output(x):
    other = keras_lap.GlobalLAPooling2D(concepts=CLASSES)(x)
    pooled = layers.GlobalAveragePooling2D()(x)
    return [
        layers.Dense(CLASSES, activation="softmax")(each) for each in (pooled, other)
    ]


@pytest.mark.parametrize(
    "head, warns",
    [(_different_numbers, True), (_no_concepts, False), (_of_another_output, True)],
)
def test_the_report_goes_without_maps_of_all_concepts(
    head, warns, there, tmp_path, galleries, capsys
):
    image = keras.Input((SIZE, SIZE, 3))
    keras.Model(image, head(layers.Conv2D(4, 3)(image))).save(tmp_path / "it.keras")
    arguments = ["evaluate", str(tmp_path / "it.keras"), "data.npz", "--metrics"]
    arguments += ["sparsity", "--report", str(tmp_path / "r.html"), "--explainers"]
    assert cli.main([*arguments, "Edge", "--class-concepts", "0", "0", "1"]) == 0
    assert [*galleries[0]] == ["Edge"]
    said = capsys.readouterr().err
    assert ("The report is without 'LAP, all concepts'" in said) is warns
    assert cli.main([*arguments, "LAP", "--force"]) == 1
    assert "an explainer that makes maps" in capsys.readouterr().err


def test_the_report_leaves_out_predictions_that_are_no_numbers(there, tmp_path, capsys):
    network = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Rescaling(1e30),
            layers.GlobalAveragePooling2D(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    network.save(tmp_path / "it.keras")
    images = IMAGES.astype("float32")
    images[2] = 1e30
    np.savez(tmp_path / "data.npz", image=images, label=LABELS)
    page = tmp_path / "report.html"
    arguments = ["evaluate", str(tmp_path / "it.keras"), str(tmp_path / "data.npz")]
    arguments += ["--explainers", "Edge", "--metrics", "sparsity"]
    assert cli.main([*arguments, "--report", str(page)]) == 0
    assert "without 1 of 6 images" in capsys.readouterr().err
    text = page.read_text()
    assert re.findall(r'"index":(\d+)', text) == list("01345")
    assert '"total":6' in text
    np.savez(tmp_path / "data.npz", image=images[2:3], label=LABELS[2:3])
    assert cli.main([*arguments, "--report", str(tmp_path / "none.html")]) == 1
    assert "Expected finite predictions" in capsys.readouterr().err


def test_the_report_of_a_folder_names_its_files(there, tmp_path, galleries):
    arguments = ["evaluate", "lap.keras", "pictures", "--samples", "3", "--metrics"]
    arguments += ["sparsity", "--explainers", "Edge"]
    page = tmp_path / "report.html"
    assert cli.main([*arguments, "--report", str(page)]) == 0
    assert '"total":6' in page.read_text()
    expected = [f"pictures/class {label}/{label}.png" for label in (0, 1)]
    assert galleries[0]["Edge"].files == [*expected, "pictures/class 2/5.png"]
    assert re.findall(r'"index":(\d+)', page.read_text()) == ["0", "2", "5"]


def test_progress_is_shown_in_a_terminal_alone(monkeypatch):
    assert verbosity() is False
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert verbosity() == "auto"


def test_evaluate_warns_of_an_original_that_gets_raw_pixels():
    with pytest.warns(UserWarning, match="MobileNet was trained on images"):
        evaluate._warn_of_raw_pixels("MobileNet")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate._warn_of_raw_pixels("model.keras")


def test_evaluate_takes_classes_in_the_order_of_the_network(there, tmp_path, capsys):
    outputs = keras.saving.load_model("lap.keras").predict(IMAGES, verbose=0)
    for index, label in enumerate(outputs.argmax(axis=-1)):
        folder = tmp_path / "data" / "zxy"[label]
        folder.mkdir(parents=True, exist_ok=True)
        # Of six images, no right answer may be an accident.
        for copy in "ab":
            shutil.copy(f"photos/{index}.png", folder / f"{index}{copy}.png")
    for name in "xyz":
        (tmp_path / "data" / name).mkdir(exist_ok=True)
    arguments = ["evaluate", "lap.keras", str(tmp_path / "data"), "--force"]
    arguments += ["--report", str(tmp_path / "r.html"), "--metrics", "sparsity"]
    arguments += ["--explainers", "Random"]
    assert cli.main(arguments) == 0
    out, err = capsys.readouterr()
    assert "class 0: x, class 1: y, class 2: z" in out
    assert "accuracy of the model is 0.000, below the 0.333 of chance" in err
    assert cli.main([*arguments, "--classes", "z", "x", "y"]) == 0
    out, err = capsys.readouterr()
    assert "class 0: z, class 1: x, class 2: y" in out
    assert "chance" not in err
    assert cli.main([*arguments, "--classes", "z", "x", "x", "w"]) == 1
    told = capsys.readouterr().err
    assert "no folder 'w', a folder 'y' besides, 'x' twice" in told


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["model.keras", "nowhere"], "Expected DATA"),
        (["nowhere.keras", "data.npz"], "Expected MODEL"),
        (["model.keras", "data.npz", "--original", "no.keras"], "'no.keras'"),
    ],
)
def test_evaluate_loads_no_model_if_files_are_missing(
    arguments, reason, there, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(evaluate, "read_model", None)
    report = ["--report", str(tmp_path / "new" / "r.html")]
    assert cli.main(["evaluate", *arguments, *report]) == 1
    assert reason in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_evaluate_knows_its_explainers(there, tmp_path, capsys):
    arguments = ["evaluate", "lap.keras", "data.npz", "--report", str(tmp_path / "r")]
    assert cli.main([*arguments, "--explainers", "GradCam"]) == 1
    assert "Did you mean ['GradCAM'" in capsys.readouterr().err
    assert cli.main([*arguments, "--metrics", "pointing"]) == 1
    assert "Did you mean ['pointing_game'" in capsys.readouterr().err


def test_a_folder_per_class_holds_the_same_as_arrays(taken):
    arrays = read_data("data.npz", taken)
    folder = read_data("pictures", taken)
    assert arrays.class_names is None
    assert folder.class_names == ["class 0", "class 1", "class 2"]
    order = np.argsort(LABELS, kind="stable")
    for name in ("image", "label", "mask"):
        np.testing.assert_array_equal(folder.arrays[name], arrays.arrays[name][order])


def test_samples_are_taken_from_all_over(taken):
    some = read_data("pictures", taken, samples=3).arrays
    np.testing.assert_array_equal(some["label"], [0, 1, 2])
    assert len(read_data("data.npz", taken, samples=99).arrays["label"]) == 6


def test_masks_that_are_missing_are_empty(taken, tmp_path):
    shutil.copytree("pictures", tmp_path, dirs_exist_ok=True)
    (tmp_path / "masks" / "class 1" / "1.png").unlink()
    masks = read_data(str(tmp_path), taken).arrays["mask"]
    assert masks.any(axis=(1, 2)).tolist() == [True, True, False, True, True, True]
    shutil.rmtree(tmp_path / "masks")
    (tmp_path / "masks").mkdir()
    with pytest.raises(FileNotFoundError, match=r"class 0/0\.png"):
        read_data(str(tmp_path), taken)


def test_masks_of_nothing_are_named(taken, tmp_path):
    shutil.copytree("pictures", tmp_path, dirs_exist_ok=True)
    masks = tmp_path / "masks"
    (masks / "class 1" / "1.png").rename(masks / "class 1" / "1_mask.png")
    (masks / "notes.txt").touch()
    (masks / ".DS_Store").touch()
    with pytest.warns(UserWarning, match=r"2 in .* notes\.txt, class 1.1_mask\.png\."):
        data = read_data(str(tmp_path), taken, samples=3)
    assert data.arrays["mask"].any(axis=(1, 2)).tolist() == [True, False, True]
    (masks / "class 1").rename(masks / "Class 1")
    with pytest.raises(ValueError, match=r"'Class 1'. Did you mean \['class 1'"):
        read_data(str(tmp_path), taken)


def test_masks_have_the_aspect_ratio_of_their_images(taken, tmp_path):
    shutil.copytree("pictures", tmp_path, dirs_exist_ok=True)
    mask = tmp_path / "masks" / "class 0" / "0.png"
    keras.utils.save_img(mask, np.ones((2 * SIZE, 2 * SIZE, 1)))
    read_data(str(tmp_path), taken)
    keras.utils.save_img(mask, np.ones((SIZE, 2 * SIZE, 1)))
    with pytest.raises(ValueError, match=r"0\.png' of \(8, 16\) for .* of \(8, 8\)"):
        read_data(str(tmp_path), taken)


def test_data_sets_of_tensorflow(taken):
    with random_examples(5):
        data = read_data("tfds:cluttered_digits/decoy:test", taken, samples=3)
    arrays = data.arrays
    assert data.class_names is None
    np.testing.assert_array_equal(data.indices, [0, 1, 2])
    assert arrays["image"].shape == (3, SIZE, SIZE, 3)
    assert arrays["mask"].shape == (3, SIZE, SIZE)
    assert arrays["mask"].dtype == bool
    assert arrays["label"].shape == (3,)
    assert arrays["boxes"].shape[::2] == (3, 4)


def test_data_sets_of_tensorflow_for_a_network_of_any_size(monkeypatch):
    sizes = (8, 12), (16, 10)
    examples = [(np.zeros((1, *size, 3)), [0]) for size in sizes]
    data = tf.data.Dataset.from_generator(lambda: examples, (tf.float32, tf.int64))
    monkeypatch.setattr(datasets, "load", lambda *args, **options: data)
    taken = ImageInput("any", (None, None, None, 3), "channels_last")
    told = r"one size.*from \[8, 10\] to \[16, 12\]\. Take a model"
    with pytest.raises(ValueError, match=told):
        read_data("tfds:any:test", taken)
