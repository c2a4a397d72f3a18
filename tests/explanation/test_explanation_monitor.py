"""`ExplanationMonitor` draws maps while a model trains, and changes nothing else."""

import gc
import importlib.util
import pathlib
import re
import struct
import tracemalloc
import warnings
import weakref

import keras
import numpy as np
import pytest
from backend_limits import compiled_steps
from keras import layers, ops

from keras_lap import Explanation, LAPooling2D, losses
from keras_lap.callbacks import ExplanationMonitor, GateAnneal, KnowledgeInjection
from keras_lap.layers import GlobalLAPooling2D

pytestmark = pytest.mark.torch_suffices

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
on_tensorflow = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="summaries are TensorFlow's"
)

SAMPLES, SIZE = 6, 8
LABELS = np.arange(SAMPLES) % 2


class Dropout(layers.Dropout):
    """Draws random numbers in training."""

    def __init__(self):
        super().__init__(0.5)


class Noise(layers.Layer):
    """Draws random numbers in training and inference alike."""

    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, x):
        noise = keras.random.normal(ops.shape(x), seed=self.seeds, dtype=x.dtype)
        return x + 0.01 * noise


def make_model(*layer_classes, **compile_options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            *(layer_class() for layer_class in layer_classes),
            layers.Conv2D(3, 3, padding="same", name="conv"),
            LAPooling2D(2, concepts=2, base="max", name="pool"),
            GlobalLAPooling2D(concepts=2, base="avg", name="head"),
            layers.Dense(2, activation="softmax", dtype="float32"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", **compile_options)
    return model


@pytest.fixture(scope="module")
def model():
    """One for all tests that look at files and errors."""
    return make_model()


@pytest.fixture
def x(rng):
    return rng.random((SAMPLES, SIZE, SIZE, 1), "float32")


@pytest.fixture
def fit(model, x):
    def fit(monitor, **options):
        return model.fit(
            x, LABELS, verbose=0, batch_size=3, callbacks=[monitor], **options
        )

    return fit


def drawn(folder):
    return sorted(path.name for path in folder.glob("*.png"))


def png_size(path):
    """Width and height, in pixels."""
    header = path.read_bytes()[:24]
    assert header.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", header[16:])


def test_draws_before_training_and_after_every_so_many_epochs(fit, x, tmp_path):
    folder = tmp_path / "new" / "maps"
    monitor = ExplanationMonitor(x, folder, 2, max_images=1, tensorboard=None)
    fit(monitor, epochs=5)
    assert drawn(folder) == ["epoch_0000.png", "epoch_0002.png", "epoch_0004.png"]


def test_counts_on_where_training_goes_on(fit, x, tmp_path):
    monitor = ExplanationMonitor(x, tmp_path, max_images=1, tensorboard=None)
    fit(monitor, initial_epoch=7, epochs=9)
    assert drawn(tmp_path) == [f"epoch_000{epoch}.png" for epoch in (7, 8, 9)]


def test_draws_what_explain_finds(model, x, tmp_path, monkeypatch):
    seen = []

    def plot(explanation, **options):
        assert options["scale"] == "unit"
        seen.append(explanation)
        return own(explanation, **options)

    own = Explanation.plot
    monkeypatch.setattr(Explanation, "plot", plot)
    monitor = ExplanationMonitor(
        x,
        tmp_path,
        concepts=["tail"],
        layers=["pool"],
        labels=LABELS,
        masks=np.ones((SAMPLES, SIZE, SIZE)),
        concept_names=["ear", "tail"],
        class_concepts=[1, 1],
        max_images=3,
        tensorboard=None,
    )
    monitor.set_model(model)
    monitor.on_train_begin()
    monitor.on_epoch_begin(0)
    (explanation,) = seen
    assert len(explanation) == 3
    assert explanation.concept_names == ["tail"]
    assert explanation.layers == ["pool"]
    np.testing.assert_array_equal(explanation.class_concepts, [[0, 1], [0, 1]])
    np.testing.assert_array_equal(explanation.labels, LABELS[:3])
    assert explanation.masks.all()
    width, height = png_size(tmp_path / "epoch_0000.png")
    # Three rows, and two columns beside the captions.
    assert height > width


def test_draws_files(model, x, tmp_path):
    files = [tmp_path / f"{index}.png" for index in range(2)]
    for file in files:
        keras.utils.save_img(file, x[0])
    folder = tmp_path / "maps"
    monitor = ExplanationMonitor(files, folder, labels=[0, 1], tensorboard=None)
    monitor.set_model(model)
    monitor.on_train_begin()
    monitor.on_epoch_begin(0)
    assert drawn(folder) == ["epoch_0000.png"]
    with pytest.raises(ValueError, match="Received: the folder"):
        ExplanationMonitor(tmp_path, folder)


@pytest.mark.parametrize("epoch, told", [(0, 1), (7, 1), (8, 0)])
def test_warns_of_the_files_of_another_training(model, x, tmp_path, epoch, told):
    for name in ("epoch_0007.png", "epoch_0008.png", "epoch_best.png"):
        (tmp_path / name).touch()
    monitor = ExplanationMonitor(x, tmp_path, max_images=1, tensorboard=None)
    monitor.set_model(model)
    monitor.on_train_begin()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        monitor.on_epoch_begin(epoch)
    messages = [str(warning.message) for warning in caught]
    assert len([text for text in messages if str(tmp_path) in text]) == told


def test_few_images_are_kept_and_the_others_are_not(x, tmp_path):
    many = x.copy()
    monitor = ExplanationMonitor(many, tmp_path, max_images=2)
    forgotten = weakref.ref(many)
    del many
    gc.collect()
    assert forgotten() is None
    assert monitor.max_images == 2


@pytest.mark.parametrize(
    "policy, injected, options",
    [
        ("float32", [KnowledgeInjection([losses.Presence()])], {}),
        pytest.param("mixed_float16", [], {"jit_compile": True}, marks=compiled_steps),
    ],
    ids=["with knowledge", "mixed precision, compiled"],
)
@pytest.mark.one_in(2)
def test_training_is_the_same_to_the_last_bit(policy, injected, options, x, tmp_path):
    default = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        model = make_model(Noise, layers.BatchNormalization, Dropout, **options)
    finally:
        keras.config.set_dtype_policy(default)
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    initial = values_of(variables)

    def trained(*monitors):
        keras.utils.set_random_seed(0)
        for variable, value in zip(variables, initial, strict=True):
            variable.assign(value)
        callbacks = [GateAnneal(end=1), *monitors, *injected]
        history = model.fit(
            x, LABELS, epochs=2, batch_size=3, verbose=0, callbacks=callbacks
        )
        return history.history, values_of(variables), np.random.random()

    monitor = ExplanationMonitor(x, tmp_path, max_images=1, tensorboard=None)
    # The first training draws random numbers for what it builds.
    trained()
    (logs, values, number), expected = trained(monitor), trained()
    assert len(drawn(tmp_path)) == 3
    assert (logs, number) == (expected[0], expected[2])
    for value, without in zip(values, expected[1], strict=True):
        np.testing.assert_array_equal(value, without)


def values_of(variables):
    return [ops.convert_to_numpy(v.value).copy() for v in variables]


@pytest.mark.tensorflow_too
@on_tensorflow
def test_writes_summaries_for_tensorboard(fit, x, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit(ExplanationMonitor(x, tmp_path, max_images=1), epochs=1)
    events = EventAccumulator(str(tmp_path / "tensorboard"), {"tensors": 0}).Reload()
    assert events.Tags()["tensors"] == ["explanation"]
    summaries = events.Tensors("explanation")
    assert [summary.step for summary in summaries] == [0, 1]
    for summary, name in zip(summaries, drawn(tmp_path), strict=True):
        width, height, _ = summary.tensor_proto.string_val
        size = int(width), int(height)
        assert size == png_size(tmp_path / name)


@pytest.mark.tensorflow_too
@on_tensorflow
def test_without_tensorboard_there_are_no_summaries(x, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *args: None if name == "tensorboard" else find(name, *args),
    )
    assert ExplanationMonitor(x, tmp_path).tensorboard is None
    with pytest.raises(ImportError, match="Received: no tensorboard"):
        ExplanationMonitor(x, tmp_path, tensorboard=tmp_path)


@pytest.mark.parametrize(
    "arguments, reason",
    [
        ({"images": np.zeros((8, 8, 1))}, "images of rank 4"),
        ({"images": iter([np.zeros((1, 8, 8, 1))])}, "list_iterator. Take the images"),
        ({"images": np.zeros((0, 8, 8, 1))}, "not empty"),
        ({"images": ()}, "rank 4"),
        ({"images": [np.zeros((8, 8, 1)), np.zeros((9, 8, 1))]}, "of one size"),
        (
            {"images": [np.zeros((SAMPLES, 8, 8, 1)), np.zeros((1, 2))]},
            "inputs of as many samples each",
        ),
        ({"every": 0}, "every"),
        ({"max_images": 1.5}, "max_images"),
        ({"combine": "sum"}, "combine"),
        ({"labels": [0]}, "`labels` of as many images"),
        ({"masks": np.zeros((1, 8, 8))}, "`masks` of as many images"),
        ({"masks": np.zeros((SAMPLES, 8))}, "masks of shape (N, H, W)"),
        ({"labels": [0.5] * SAMPLES}, "whole numbers"),
        ({"labels": LABELS, "class_names": ["cat"]}, "labels of 1 classes"),
        ({"class_concepts": [0.5, 1]}, "which concepts speak for which class"),
        ({"concepts": ["tial"], "concept_names": ["tail"]}, "Did you mean ['tail']"),
    ],
)
def test_says_at_once_what_is_wrong(arguments, reason, x, tmp_path):
    with pytest.raises(ValueError, match=re.escape(reason)):
        ExplanationMonitor(**{"images": x, "directory": tmp_path, **arguments})


@pytest.mark.parametrize(
    "arguments, error, reason",
    [
        ({"directory": "file/maps"}, OSError, "a folder that can be written to"),
        pytest.param(
            {"tensorboard": "file/logs"},
            OSError,
            "a folder that can be written to",
            marks=[pytest.mark.tensorflow_too, on_tensorflow],
        ),
        ({"layers": ["poool"]}, ValueError, "Did you mean ['pool'"),
        ({"concepts": [5]}, ValueError, "indices from 0"),
        ({"labels": [5] * SAMPLES}, ValueError, "a label 5"),
        ({"images": ["missing.png"]}, FileNotFoundError, "missing.png"),
        ({"images": np.zeros((1, 9, 9, 1))}, ValueError, "(1, 9, 9, 1)"),
        ({"images": (np.zeros((2, 8, 8, 1)), [0, 1])}, ValueError, "Pass labels"),
    ],
)
def test_fails_before_it_trains(
    arguments, error, reason, model, x, fit, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("file").touch()
    options = {"images": x, "directory": "maps", "tensorboard": None, **arguments}
    steps = int(model.optimizer.iterations)
    with pytest.raises(error, match=re.escape(reason)):
        fit(ExplanationMonitor(**options))
    assert int(model.optimizer.iterations) == steps


def test_an_error_while_training_is_told_once(fit, x, tmp_path, monkeypatch):
    monitor = ExplanationMonitor(x, tmp_path, max_images=1, tensorboard=None)
    own, draws = Explanation.plot, []

    def plot(explanation, **options):
        draws.append(explanation)
        if len(draws) in (2, 3):
            raise OSError("The disk is full.")
        return own(explanation, **options)

    monkeypatch.setattr(Explanation, "plot", plot)
    with pytest.warns(UserWarning, match=r"after epoch 1.*The disk is full") as told:
        history = fit(monitor, epochs=3)
    assert len([w for w in told if "could not draw" in str(w.message)]) == 1
    assert len(history.history["loss"]) == 3
    # The third time there was room again.
    assert drawn(tmp_path) == ["epoch_0000.png", "epoch_0003.png"]


def test_warns_once_in_a_training(x, tmp_path):
    """Of what is to be said in each epoch, be it in other words."""
    image = keras.Input((SIZE, SIZE, 1))
    features = GlobalLAPooling2D(concepts=2)(layers.BatchNormalization()(image))
    model = keras.Model(image, [layers.Dense(2)(features), layers.Dense(1)(features)])
    variance = model.layers[1].moving_variance
    monitor = ExplanationMonitor(x, tmp_path, max_images=2, tensorboard=None)
    monitor.set_model(model)
    caught = []
    for _ in range(2):
        monitor.on_train_begin()
        variance.assign([1.0])
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            monitor.on_epoch_begin(0)
            for epoch in range(3):
                variance.assign([1e6 * 2**epoch])
                monitor.on_epoch_end(epoch)
        caught.append([str(each.message) for each in told])
    for messages in caught:
        assert sum("several outputs" in message for message in messages) == 1
        assert sum("another range" in message for message in messages) == 1


@pytest.mark.thorough
def test_nothing_of_an_epoch_is_kept(model, x, tmp_path):
    from matplotlib.figure import Figure

    monitor = ExplanationMonitor(x, tmp_path, max_images=1, concepts=[0])
    monitor.set_model(model)
    monitor.on_train_begin()

    def kept_after(epochs):
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "ExplanationMonitor could not draw")
            for _ in range(epochs):
                monitor.on_epoch_end(0)
        gc.collect()
        figures = [each for each in gc.get_objects() if issubclass(type(each), Figure)]
        return len(figures), tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        # Caches fill in the first round.
        figures, memory = zip(*(kept_after(3) for _ in range(4)), strict=True)
    finally:
        tracemalloc.stop()
    assert len(set(figures)) == 1
    # A third of what the pixels of a round's figures would take, in the round that kept
    # least: what is kept would be kept in each, but a table of the interpreter's own
    # that has grown is in one.
    width, height = png_size(tmp_path / "epoch_0001.png")
    assert min(np.diff(memory)) < width * height * 4
