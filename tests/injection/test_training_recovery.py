"""Training goes on after a crash, and a model outlives everything that fails."""

import gc
import weakref

import keras
import numpy as np
import pytest
from injection_problem import (
    ALLOWED,
    assert_same_state,
    call_at,
    fit,
    make_model,
    own_losses,
    state,
)
from keras import layers
from keras.callbacks import BackupAndRestore
from step_options import GRAPH
from tensorflow.python.framework.func_graph import FuncGraph
from tolerances import assert_close, assert_identical

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.callbacks import GateAnneal, KnowledgeInjection
from keras_lap.layers import score_tape
from keras_lap.losses import AreaPrior, KnowledgeLoss, MaskSupervision

pytest_plugins = ["injection_problem"]

# After a crash.

SIZE, STEPS, EPOCHS, GROWTH = 8, 4, 4, 3
CRASH = (1, 2)  # At the end of the third step of the second epoch.


class Recorder(keras.callbacks.Callback):
    """Writes down the gate and the term's weight of every step."""

    def __init__(self):
        super().__init__()
        self.gates, self.weights = {}, {}

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.sums = epoch, np.zeros(2)

    def on_train_batch_begin(self, batch, logs=None):
        gates = [float(self.model.get_layer(name).gate) for name in ("pool", "head")]
        assert gates[0] == gates[1]
        self.gates[self.epoch, batch] = gates[0]

    def on_train_batch_end(self, batch, logs=None):
        # What Keras logs is the mean over the steps of the epoch.
        added = logs["loss"] - logs["sparse_categorical_crossentropy"]
        sums = np.array([added, logs["area_prior"]]) * (batch + 1)
        of_step, term = sums - self.sums
        self.weights[self.epoch, batch] = of_step / term
        self.sums = sums


class Crash(keras.callbacks.Callback):
    """Ends the training in its midst, of which no callback hears."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == CRASH:
            raise MemoryError


def train(seed, before=(), after=()):
    """A training that is the same each time if it starts with the same weights."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(2, 3),
            LAPooling2D(2, base="max", name="pool"),
            layers.BatchNormalization(),
            GlobalLAPooling2D(concepts=3, base="avg", name="head"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        "adam",
        "sparse_categorical_crossentropy",
        metrics=["sparse_categorical_crossentropy"],
        jit_compile=False,
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2 * STEPS, SIZE, SIZE, 1)).astype("float32")
    recorder = Recorder()
    anneal = GateAnneal(0, GROWTH, "linear")
    injection = KnowledgeInjection(AreaPrior(0.8), weights=2, warmup=GROWTH)
    model.fit(
        x,
        np.arange(2 * STEPS) % 3,
        batch_size=2,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        callbacks=[*before, anneal, injection, recorder, *after],
    )
    return model, recorder


@pytest.fixture(scope="module")
def crashed(tmp_path_factory):
    """The folder of the backups of a training that has crashed."""
    folder = tmp_path_factory.mktemp("backups")
    by_epoch = BackupAndRestore(folder / "epoch")
    by_batches = BackupAndRestore(folder / "batches", save_freq=2)
    with pytest.raises(MemoryError):
        train(1, [by_epoch], [by_batches, Crash()])
    return folder


@pytest.fixture(scope="module")
def uninterrupted():
    return train(1)


def schedule(step):
    epoch, batch = step
    return min((epoch + batch / STEPS) / GROWTH, 1)


def test_the_recorder_reads_gates_and_weights(uninterrupted):
    _, recorder = uninterrupted
    steps = [(epoch, batch) for epoch in range(EPOCHS) for batch in range(STEPS)]
    for step in steps:
        assert_close(recorder.gates[step], schedule(step), 0, 1e-6)
        assert_close(recorder.weights[step], 2 * schedule(step), 0, 1e-4)


def test_backup_of_epochs_leads_to_the_same_end(crashed, uninterrupted):
    """The epoch that was cut off is trained anew, with its gates and weights."""
    expected, every_step = uninterrupted
    model, recorder = train(2, [BackupAndRestore(crashed / "epoch")])
    steps = [step for step in every_step.gates if step[0] >= CRASH[0]]
    assert recorder.gates == {step: every_step.gates[step] for step in steps}
    for step in steps:
        assert_close(recorder.weights[step], every_step.weights[step], 0, 1e-4)
    for weight, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        assert_identical(weight, other)


def test_backup_of_batches_goes_on_from_the_begin_of_the_epoch(crashed):
    """Keras starts the epoch anew, with the weights that it had in its midst.

    The terms' weights belong to the steps; gates have been in the backup, ready for the
    step that did not come to its end, and stay as far open as they were.
    """
    model, recorder = train(2, [], [BackupAndRestore(crashed / "batches", 2)])
    steps = [(epoch, batch) for epoch in range(1, EPOCHS) for batch in range(STEPS)]
    assert list(recorder.gates) == list(recorder.weights) == steps
    for step in steps:
        gate = max(schedule(step), schedule(CRASH))
        assert_close(recorder.gates[step], gate, 0, 1e-6)
        assert_close(recorder.weights[step], 2 * schedule(step), 0, 1e-4)
    assert int(model.optimizer.iterations) == 6 + len(steps)


# After a failure.


def interrupt(*_, **__):
    raise KeyboardInterrupt


class Interrupted(KnowledgeLoss):
    def call(self, logits):
        interrupt()


def by_hook(hook):
    return lambda model, x, targets: fit(
        model,
        x,
        targets,
        [KnowledgeInjection(MaskSupervision()), call_at(hook, interrupt)],
        validation_data=(x, targets),
    )


def in_a_term(model, x, targets):
    fit(model, x, targets, [KnowledgeInjection([MaskSupervision(), Interrupted()])])


def in_the_models_loss(model, x, targets):
    model.compute_loss = interrupt
    try:
        fit(model, x, targets, [KnowledgeInjection(MaskSupervision())])
    finally:
        assert model.compute_loss is interrupt
        del model.compute_loss


INTERRUPTIONS = {
    "before a step": by_hook("on_train_batch_begin"),
    "after a step": by_hook("on_train_batch_end"),
    "before validation": by_hook("on_test_batch_begin"),
    "in a term": in_a_term,
    "in the model's loss": in_the_models_loss,
}


@pytest.mark.parametrize("interruption", INTERRUPTIONS.values(), ids=INTERRUPTIONS)
def test_after_control_c_the_model_is_that_of_before(x, label, targets, interruption):
    """For steps on single batches too, and nothing records scores any more."""
    model = make_model(metrics=["accuracy"])
    model.train_on_batch(x, label)
    model.test_on_batch(x, label)
    before, weights = state(model), model.get_weights()
    with pytest.raises(KeyboardInterrupt):
        interruption(model, x, targets)
    for step in (model.train_on_batch, model.test_on_batch):
        model.reset_metrics()
        logs = step(x, label, return_dict=True)
        assert logs.keys() == {"loss", "accuracy"}
        assert_close(logs["loss"], own_losses(model, x, label).mean(), **ALLOWED)
    assert_same_state(before, model)
    assert not any(name.startswith("make_") for name in vars(model))
    with score_tape() as records:
        model(x)
    assert [record.layer.name for record in records] == ["pool", "head"]
    for weight, kept in zip(model.get_weights(), weights, strict=True):
        assert_identical(weight, kept)


def live_graphs():
    gc.collect()
    return sum(type(one) is FuncGraph for one in gc.get_objects())


def test_fits_leave_nothing_behind_but_what_keras_leaves(x, label):
    """TensorFlow keeps a graph of every function that Keras makes."""
    model, plain, injected, kept = make_model(**GRAPH), [], [], []
    for _ in range(2):
        model.make_train_function(force=True)
        fit(model, x, label)
        plain.append(live_graphs())
    for _ in range(2):
        injection = KnowledgeInjection([AreaPrior(0.8)], warmup=2)
        kept.append(weakref.ref(injection))
        fit(model, x, label, [injection])
        del injection
        injected.append(live_graphs())
    assert injected[1] - injected[0] <= plain[1] - plain[0]
    assert [reference() for reference in kept] == [None, None]
