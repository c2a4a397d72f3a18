"""Terms of `KnowledgeInjection` in the callbacks that Keras has."""

import csv
import importlib.util
import re
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from injection_problem import (
    ALLOWED,
    SAMPLES,
    by_hand,
    fit,
    make_model,
    own_losses,
)
from keras import callbacks
from tolerances import assert_close, assert_identical

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import AreaPrior, MaskSupervision

pytest_plugins = ["injection_problem"]

# Loggers.

EPOCHS = 2


@pytest.fixture
def problem(x, label, mask):
    """A training that learns nothing, and what its logs must be.

    The last batch is smaller, and half of the masks do not count.
    """
    model, other = make_model(metrics=["accuracy"]), 2 * x
    valid = np.array([1, 0, 0, 1, 1, 0])
    targets = {"label": label, "mask": mask, "valid": valid}
    area, masks = AreaPrior(0.8), MaskSupervision(name="masks")
    expected = {}
    for prefix, images in (("", x), ("val_", other)):
        areas = by_hand(area, model, images, label, mask)
        values = by_hand(masks, model, images, label, mask)
        loss = own_losses(model, images, label) + 0.5 * areas + 2 * values * valid
        expected[f"{prefix}area_prior"] = areas.mean()
        expected[f"{prefix}masks"] = values[valid == 1].mean()
        expected[f"{prefix}loss"] = loss.mean()
    injection = KnowledgeInjection([area, masks], weights=[0.5, 2])

    def train(*loggers, verbose=0):
        options = {"validation_data": (other, targets), "epochs": EPOCHS}
        everything = [*loggers, injection]
        fit(model, x, targets, everything, batch_size=4, verbose=verbose, **options)

    return train, expected


def assert_printed(out, expected):
    for name, value in expected.items():
        found = re.findall(rf"(?<!val_)\b{name}: (\S+)", out)
        # The bar shows what there is so far as well, its end both epochs.
        assert len(found) >= EPOCHS
        assert_close(float(found[-1]), value, rtol=0, atol=1e-4)


def test_terms_are_in_the_progress_bar_and_in_csv_files(problem, tmp_path, capsys):
    train, expected = problem
    path = tmp_path / "logs.csv"
    train(callbacks.CSVLogger(path), verbose=1)
    assert_printed(capsys.readouterr().out, expected)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for row in rows:
        assert row.keys() == {"epoch", "accuracy", "val_accuracy", *expected}
        for name, value in expected.items():
            assert_close(float(row[name]), value, **ALLOWED)


def scalars(folder):
    """What TensorFlow wrote into event files: dict from tags to values."""
    found = {}
    for path in sorted(folder.glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    found.setdefault(value.tag, []).append(
                        float(tf.make_ndarray(value.tensor))
                    )
    return found


@pytest.mark.skipif(
    importlib.util.find_spec("tensorboard") is None,
    reason="TensorFlow writes summaries only where TensorBoard is installed",
)
def test_terms_are_in_lines_of_epochs_and_in_event_files(problem, tmp_path, capsys):
    train, expected = problem
    board = callbacks.TensorBoard(tmp_path, histogram_freq=1, update_freq=1)
    train(board, verbose=2)
    assert_printed(capsys.readouterr().out, expected)
    for folder, prefix in (("train", ""), ("validation", "val_")):
        found = scalars(tmp_path / folder)
        for name in ("area_prior", "masks", "loss"):
            values = [expected[prefix + name]] * EPOCHS
            assert_close(found[f"epoch_{name}"], values, **ALLOWED)
            batches = found.get(f"batch_{name}", [])
            assert len(batches) == (0 if prefix else 2 * EPOCHS)


# Callbacks that act on terms.


def test_terms_steer_other_callbacks(x, label, targets, tmp_path):
    """A training that gets better all the time, which is not good enough for some."""
    model, monitor = make_model(rate=0.01), "val_mask_supervision"
    weights = []

    class Watch(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            weights.append(model.get_weights())

    # Keras does not know of names other than the loss's which way is up.
    watched = {"monitor": monitor, "mode": "min"}
    too_little = {**watched, "min_delta": 99.0}
    whole = tmp_path / "{epoch}-{val_mask_supervision:.6f}.keras"
    best = tmp_path / "best.weights.h5"
    history = fit(
        model,
        x,
        targets,
        [
            Watch(),
            KnowledgeInjection([AreaPrior(0.8), MaskSupervision()]),
            callbacks.ModelCheckpoint(whole, **watched),
            callbacks.ModelCheckpoint(
                best, **watched, save_best_only=True, save_weights_only=True
            ),
            callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
            callbacks.ReduceLROnPlateau(**too_little, factor=0.1, patience=1),
            callbacks.EarlyStopping(
                **too_little, patience=2, restore_best_weights=True
            ),
            callbacks.TerminateOnNaN(),
        ],
        validation_data=(x, targets),
        epochs=5,
    )
    values = history[monitor]
    # The first is the best of those that differ by enough; then patience ends.
    assert len(values) == 3
    assert values == sorted(values, reverse=True)
    # Halved each epoch, and divided by ten after the first without any gain.
    rates = [0.005, 0.0025, 0.000125]
    assert_close(history["learning_rate"], rates, rtol=1e-6, atol=0)
    for weight, kept in zip(model.get_weights(), weights[0], strict=True):
        assert_identical(weight, kept)

    loaded = make_model()
    loaded.load_weights(best)
    for weight, kept in zip(loaded.get_weights(), weights[2], strict=True):
        assert_identical(weight, kept)

    files = [
        tmp_path / f"{at + 1}-{value:.6f}.keras" for at, value in enumerate(values)
    ]
    assert all(path.exists() for path in files)
    with zipfile.ZipFile(files[2]) as archive:
        config = archive.read("config.json").decode().lower()
    assert "injection" not in config
    assert "supervision" not in config
    last = keras.saving.load_model(files[2])
    logs = last.evaluate(x, label, verbose=0, return_dict=True)
    assert logs.keys() == {"loss"}
    assert_close(logs["loss"], own_losses(loaded, x, label).mean(), **ALLOWED)


def test_a_term_without_samples_does_not_terminate_but_a_loss_of_nan_does(x, targets):
    """Where no sample counts, the term is logged as NaN, and the loss is a number."""
    targets["valid"] = np.zeros(SAMPLES, int)
    injection = KnowledgeInjection(MaskSupervision())
    stop = callbacks.TerminateOnNaN()
    history = fit(make_model(), x, targets, [injection, stop], epochs=2)
    assert np.isnan(history["mask_supervision"]).all()
    assert np.isfinite(history["loss"]).all()
    assert len(history["loss"]) == 2

    def spoilt(logits):
        return logits[:, 0, 0, 0] * np.nan

    history = fit(
        make_model(), x, targets, [KnowledgeInjection(spoilt), stop], epochs=2
    )
    assert len(history["loss"]) == 1
