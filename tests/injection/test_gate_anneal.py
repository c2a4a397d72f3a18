"""`GateAnneal` moves the gates of LAP layers along its schedule."""

import contextlib
import math
import warnings

import keras
import numpy as np
import pytest
from backend_limits import several_steps, traced
from keras import layers, ops
from tolerances import assert_close

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.callbacks import GateAnneal
from keras_lap.layers.gate_warning import ClosedGateWarning

pytestmark = pytest.mark.jax_too

STEPS = 4
X = np.zeros((2 * STEPS, 6, 6, 1), "float32")
Y = np.zeros((2 * STEPS, 1), "float32")


def make_model(*extra_layers, rate=0.01, **compile_options):
    """Two LAP layers with a gate and one without."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            LAPooling2D(2, base="max", name="first"),
            LAPooling2D(1, name="without_gate"),
            *extra_layers,
            GlobalLAPooling2D(base="avg", name="last"),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.SGD(rate), "mse", **compile_options)
    return model


@pytest.fixture(scope="module")
def compiled():
    """One model for all tests, since tracing a step takes the longest."""
    return make_model()


@pytest.fixture
def model(compiled):
    for name in ("first", "last"):
        compiled.get_layer(name).gate.assign(0)
    return compiled


def gates(model):
    return [float(model.get_layer(name).gate.value) for name in ("first", "last")]


class Recorder(keras.callbacks.Callback):
    """Writes down the gate that every batch of training and validation sees."""

    def __init__(self):
        super().__init__()
        self.training, self.validation = [], []

    def record(self, into):
        first, last = gates(self.model)
        assert first == last
        into.append(first)

    def on_train_batch_begin(self, batch, logs=None):
        self.record(self.training)

    def on_test_batch_begin(self, batch, logs=None):
        self.record(self.validation)


def fit(model, callbacks, data=(X, Y), **options):
    options = {"batch_size": 2, "shuffle": False, "verbose": 0, **options}
    return model.fit(*data, callbacks=callbacks, **options)


def record_fit(model, anneal, data=(X, Y), **options):
    recorder = Recorder()
    fit(model, [anneal, recorder], data, **options)
    return recorder


@pytest.mark.parametrize(
    "schedule, start, end, epoch, expected",
    [
        ("linear", 0, 1, 0.25, 0.25),
        ("linear", 0.5, 2.5, 1.0, 0.25),
        ("linear", 2, 6, 3, 0.25),
        ("cosine", 0, 2, 1, 0.5),
        ("cosine", 0, 1, 0.25, (1 - math.sqrt(0.5)) / 2),
        ("cosine", 1, 4, 3, 0.75),
    ],
)
def test_value(schedule, start, end, epoch, expected):
    anneal = GateAnneal(start, end, schedule)
    assert anneal.value(epoch) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("start, end", [(0, 1), (0.3, 0.7), (2, 2), (0, 0)])
def test_value_is_exact_outside_of_the_ramp_and_never_falls(schedule, start, end):
    anneal = GateAnneal(start, end, schedule)
    assert anneal.value(end) == anneal.value(end + 5) == 1.0
    if start < end:
        assert anneal.value(start) == anneal.value(0) == 0.0
    values = [anneal.value(epoch) for epoch in np.linspace(0, 3, 50)]
    assert values == sorted(values)


def test_default_opens_the_gate_over_the_first_epoch():
    anneal = GateAnneal()
    assert [anneal.value(0), anneal.value(1)] == [0, 1]


@pytest.mark.parametrize("start, end, schedule", [(0.5, 2, "linear"), (0, 3, "cosine")])
@pytest.mark.slow_on_jax
def test_gates_follow_the_schedule(model, start, end, schedule):
    anneal = GateAnneal(start, end, schedule)
    recorder = record_fit(model, anneal, epochs=3, validation_data=(X[:2], Y[:2]))
    expected = [anneal.value(step / STEPS) for step in range(3 * STEPS)]
    np.testing.assert_allclose(recorder.training, expected, rtol=1e-6)
    expected = [anneal.value(epoch) for epoch in (1, 2, 3)]
    np.testing.assert_allclose(recorder.validation, expected, rtol=1e-6)
    assert recorder.training[0] == 0
    assert gates(model) == [1, 1]


def test_every_step_computes_with_the_gate_of_its_time(rng):
    x, y = rng.normal(size=X.shape), rng.normal(size=Y.shape)
    model = make_model(rate=0.0)
    means = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: means.append(float(logs["loss"]))
    )
    fit(model, [GateAnneal(0, 1, "linear"), record], (x, y))
    expected = []
    for step in range(STEPS):
        for name in ("first", "last"):
            model.get_layer(name).gate.assign(step / STEPS)
        predictions = ops.convert_to_numpy(model(x[2 * step : 2 * step + 2]))
        expected.append(np.mean((predictions - y[2 * step : 2 * step + 2]) ** 2))
    counts = np.arange(1, STEPS + 1)
    assert_close(means, np.cumsum(expected) / counts, 1e-5, 1e-6)
    assert len({round(value, 3) for value in expected}) == STEPS


@pytest.mark.torch_suffices
def test_without_a_ramp_the_gate_jumps(model):
    recorder = record_fit(model, GateAnneal(1, 1), epochs=2)
    assert recorder.training == [0] * STEPS + [1] * STEPS


@pytest.mark.torch_suffices
def test_a_resumed_training_continues_the_schedule(model):
    anneal = GateAnneal(0, 4, "linear")
    recorder = record_fit(model, anneal, initial_epoch=2, epochs=3)
    np.testing.assert_allclose(recorder.training, [0.5, 0.5625, 0.625, 0.6875])


@pytest.mark.torch_suffices
def test_a_loop_of_single_epochs_has_to_count_them(model):
    anneal = GateAnneal(0, 2, "linear")
    for _ in range(2):
        record_fit(model, anneal)
        assert gates(model) == [0.5, 0.5]
    record_fit(model, anneal, initial_epoch=1, epochs=2)
    assert gates(model) == [1, 1]


@pytest.mark.parametrize("end, reached", [(4, "0.5"), (2.5, "0.8"), (2, None)])
@pytest.mark.torch_suffices
def test_warns_of_a_training_that_ends_before_the_gate_is_open(model, end, reached):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, [GateAnneal(0, end, "linear")], epochs=2)
    said = [str(each.message) for each in caught if "gates" in str(each.message)]
    assert len(said) == (reached is not None)
    for message in said:
        assert f"after epoch 2, where they are at {reached} of 1" in message


@pytest.mark.torch_suffices
def test_says_nothing_of_gates_that_are_open(model):
    for name in ("first", "last"):
        model.get_layer(name).gate.assign(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ClosedGateWarning)
        fit(model, [GateAnneal(end=4)], epochs=2)


@several_steps
def test_several_steps_per_execution_share_a_gate():
    model = make_model(steps_per_execution=2)
    recorder = record_fit(model, GateAnneal(0, 1, "linear"))
    assert recorder.training == [0, 0.5]
    assert gates(model) == [1, 1]


@several_steps
def test_steps_at_once_do_not_reach_into_the_next_epoch():
    model = make_model(steps_per_execution=3)
    record_fit(model, GateAnneal(0, 4, "linear"))
    assert gates(model) == [0.25, 0.25]


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.torch_suffices
def test_with_an_unknown_number_of_steps_the_gate_moves_between_epochs(model):
    anneal = GateAnneal(0, 2, "linear")
    for epoch, expected in enumerate([0, 0.5]):
        batches = ((X[i : i + 2], Y[i : i + 2]) for i in range(0, len(X), 2))
        options = {"batch_size": None, "initial_epoch": epoch, "epochs": epoch + 1}
        recorder = record_fit(model, anneal, (batches,), **options)
        # Keras may begin one batch more, before it finds that there is none.
        assert len(recorder.training) >= STEPS
        assert set(recorder.training) == {expected}
    assert gates(model) == [1, 1]


@pytest.mark.torch_suffices
def test_gates_rest_outside_of_training(model):
    anneal = GateAnneal(0, 4, "linear")
    model.evaluate(X, Y, batch_size=2, verbose=0, callbacks=[anneal])
    assert gates(model) == [0, 0]
    record_fit(model, anneal)
    assert gates(model) == [0.25, 0.25]
    model.get_layer("last").gate.assign(0.125)
    model.evaluate(X, Y, batch_size=2, verbose=0, callbacks=[anneal])
    assert gates(model) == [0.25, 0.125]


def test_an_evaluation_during_training_leaves_the_schedule_as_it_is(model):
    anneal, seen = GateAnneal(0, 2, "linear"), []

    def evaluate(*_, **__):
        options = {"batch_size": len(X), "verbose": 0, "callbacks": [anneal]}
        model.evaluate(X, Y, **options)
        seen.append(gates(model)[0])

    hooks = ("on_train_batch_end", "on_epoch_end")
    evaluating = keras.callbacks.LambdaCallback(**dict.fromkeys(hooks, evaluate))
    fit(model, [anneal, evaluating], epochs=2)
    expected = [0.125, 0.25, 0.375, 0.5, 0.5, 0.625, 0.75, 0.875, 1, 1]
    np.testing.assert_allclose(seen, expected)


def fail(*_, **__):
    raise RuntimeError("on purpose")


FAILING = keras.callbacks.LambdaCallback(on_test_batch_begin=fail)


@pytest.mark.parametrize("name, others", [("predict", []), ("evaluate", [FAILING])])
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.skipif(
    keras.config.backend() == "jax",
    reason="Keras on JAX loses its state by other calls between batches of a generator",
)
@pytest.mark.torch_suffices
def test_a_validation_is_one_after_other_calls_during_training(model, name, others):
    anneal, recorder = GateAnneal(0, 2, "linear"), Recorder()

    def call(batch, logs):
        with contextlib.suppress(RuntimeError):
            getattr(calling.model, name)(X, verbose=0, callbacks=[anneal, *others])

    calling = keras.callbacks.LambdaCallback(on_train_batch_end=call)
    batches = ((X[i : i + 2], Y[i : i + 2]) for i in range(0, len(X), 2))
    options = {"batch_size": None, "validation_data": (X[:2], Y[:2])}
    fit(model, [anneal, calling, recorder], (batches,), **options)
    assert set(recorder.training) == {0}
    assert recorder.validation == [0.5]


@pytest.mark.torch_suffices
def test_what_others_save_at_the_end_of_an_epoch_is_as_it_will_be(model):
    saved = []
    save = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: saved.append(gates(model))
    )
    fit(model, [save, GateAnneal(0, 2, "linear")], epochs=3)
    assert saved == [[0.5, 0.5], [1, 1], [1, 1]]


@pytest.mark.torch_suffices
def test_a_failed_training_leaves_the_gates_to_the_user(model):
    anneal = GateAnneal(0, 1, "linear")
    failing = keras.callbacks.LambdaCallback(on_train_batch_end=fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        fit(model, [anneal, failing])
    model.evaluate(X, Y, batch_size=2, verbose=0, callbacks=[anneal])
    assert gates(model) == [0.25, 0.25]


@pytest.mark.torch_suffices
def test_a_gate_that_is_open_stays_open(model):
    anneal = GateAnneal(0, 2, "linear")
    record_fit(model, anneal)
    recorder = record_fit(model, anneal, epochs=2)
    expected = np.maximum(np.arange(2 * STEPS) / (2 * STEPS), 0.5)
    np.testing.assert_allclose(recorder.training, expected)
    assert record_fit(model, anneal).training == [1] * STEPS
    for name in ("first", "last"):
        model.get_layer(name).gate.assign(0)
    assert record_fit(model, anneal).training == [0, 0.125, 0.25, 0.375]


@pytest.mark.filterwarnings("ignore:The gates were")
def test_earlier_weights_are_brought_to_the_schedule_again(model):
    def load(epoch, logs):
        for name in ("first", "last"):
            model.get_layer(name).gate.assign(0)

    anneal, recorder = GateAnneal(0, 1), Recorder()
    loading = keras.callbacks.LambdaCallback(on_epoch_end=load)
    fit(model, [anneal, loading, recorder], epochs=3)
    assert recorder.training[STEPS:] == [1] * 2 * STEPS


@pytest.mark.parametrize("end, warns", [(2, True), (1, False)])
def test_warns_of_gates_that_earlier_weights_have_closed(model, end, warns):
    # Nothing is learned of zeros, so the first epoch is the best.
    earlier = keras.callbacks.EarlyStopping("loss", restore_best_weights=True)
    model.get_layer("last").gate.assign(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ClosedGateWarning)
        fit(model, [earlier, GateAnneal(0, end, "linear")], epochs=2)
    assert gates(model) == [1 / end, 1]
    said = [str(each.message) for each in caught]
    assert len(said) == warns
    for message in said:
        assert "were at 1 of 1, and the lowest is at 0.5" in message
        assert "start_from_epoch=2" in message


@keras.saving.register_keras_serializable("keras_lap_tests")
class CountCalls(layers.Layer):
    """Counts how often its Python code runs, which in a graph is once per trace."""

    calls = 0

    def call(self, x):
        self.calls += 1
        return x


@traced
def test_nothing_is_traced_anew():
    counter = CountCalls()
    model = make_model(counter)
    calls = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: calls.append(counter.calls)
    )
    anneal = GateAnneal(0, 2)
    fit(model, [anneal, count], epochs=3)
    assert len(calls) == 3 * STEPS
    assert calls == [calls[0]] * len(calls)


REFUSED = {
    "before the start": {"start": -0.5},
    "end before start": {"start": 2, "end": 1},
    "not a number": {"end": float("nan")},
    "a text": {"end": "1"},
    "unknown schedule": {"schedule": "quadratic"},
}


@pytest.mark.parametrize("arguments", REFUSED.values(), ids=REFUSED)
def test_refuses_bad_arguments(arguments):
    with pytest.raises(ValueError, match=r"(?s)Expected.*Received"):
        GateAnneal(**arguments)


MODELS = {
    "no LAP layer": [keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(1)],
    "no base branch": [keras.Input((6, 6, 1)), GlobalLAPooling2D(), layers.Dense(1)],
}


@pytest.mark.parametrize("model_layers", MODELS.values(), ids=MODELS)
def test_refuses_a_model_without_gates(model_layers):
    model = keras.Sequential(model_layers)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"(?s)Expected.*model.*Received"):
        fit(model, [GateAnneal()])


class MakesLayersLate(keras.Model):
    def build(self, _):
        self.pool = GlobalLAPooling2D(base="max")


@pytest.mark.parametrize(
    "make, received",
    [
        (
            lambda: keras.Sequential([GlobalLAPooling2D(base="max", name="p")]),
            r"'sequential.*', not built, whose LAP layers \['p'\] are not built",
        ),
        (
            lambda: MakesLayersLate(name="late"),
            "'late', not built, without LAP layers so far",
        ),
    ],
    ids=["layers not built", "no layers yet"],
)
def test_refuses_a_model_that_is_not_built(make, received):
    """On TensorFlow `fit` builds it no sooner than in its first step."""
    anneal = GateAnneal()
    anneal.set_model(make())
    with pytest.raises(ValueError, match=f"Expected a built.* Received: {received}$"):
        anneal.on_train_begin()
