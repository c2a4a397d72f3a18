"""`KnowledgeInjection` leaves the model as it was, and traces no more than once."""

import copy
import importlib
import pickle

import keras
import numpy as np
import pytest
from backend_limits import traced
from injection_problem import (
    ALLOWED,
    TracedLoss,
    assert_same_state,
    call_at,
    compiled,
    converted,
    first,
    fit,
    make_model,
    own_losses,
    repeated,
    state,
)
from step_options import CHEAP, GRAPH
from tolerances import assert_close

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import KnowledgeLoss, MaskSupervision, Presence, Sufficiency

pytestmark = pytest.mark.jax_too

pytest_plugins = ["injection_problem"]

# Leaving the model as it was.


def fitted_model(x, label):
    """A model that was trained before, and can be evaluated."""
    model = make_model(metrics=["accuracy"])
    fit(model, x, label, validation_data=(x, label))
    return model


def test_between_steps_the_model_is_as_it_was(x, label, targets):
    model = fitted_model(x, label)
    before, checks = state(model), []

    def check(model):
        assert_same_state(before, model)
        checks.append(1)

    hooks = ("train_begin", "epoch_begin", "train_batch_end", "test_begin", "epoch_end")
    fit(
        model,
        *repeated(2, x, targets),
        [
            KnowledgeInjection([Presence(), MaskSupervision()]),
            *[call_at(f"on_{hook}", check) for hook in hooks],
        ],
        validation_data=(x, targets),
    )
    assert len(checks) == 6
    check(model)


class Failing(KnowledgeLoss):
    def call(self, logits):
        raise RuntimeError("on purpose")


def fail(_):
    raise RuntimeError("on purpose")


def test_an_error_in_a_step_leaves_the_model_as_it_was(x, label, targets):
    model = fitted_model(x, label)
    before = state(model)
    for callbacks in ([Failing()], [Presence(), Failing()]):
        with pytest.raises(RuntimeError, match="on purpose"):
            fit(model, x, targets, [KnowledgeInjection(callbacks)])
        assert_same_state(before, model)
        assert_plain(model, x, label)


@pytest.mark.slow_on_jax
def test_the_same_callback_serves_after_an_error_in_the_first_step(x, label, targets):
    wrong = {"label": label, "masks": targets["mask"]}
    states = []
    for mistaken, options in ((False, CHEAP), (True, GRAPH)):
        model, knowledge = make_model(), KnowledgeInjection([MaskSupervision()])
        model.compile("adam", "sparse_categorical_crossentropy", **options)
        if mistaken:
            with pytest.raises(ValueError, match="masks"):
                fit(model, x, wrong, [knowledge])
        fit(model, x, targets, [knowledge])
        states.append(model.get_weights())
    for expected, actual in zip(*states, strict=True):
        assert_close(actual, expected, **ALLOWED)


@pytest.mark.torch_suffices
def test_the_same_callback_serves_after_an_interruption_before_the_first_step(
    x, targets, monkeypatch
):
    injection, model = KnowledgeInjection([MaskSupervision()]), make_model()

    def interrupt(*_):
        raise KeyboardInterrupt

    # The function hides its module.
    module = importlib.import_module("keras_lap.injection.knowledge_injection")
    with monkeypatch.context() as patch:
        patch.setattr(module, "watches_of", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(model, x, targets, [injection])
    expected = fit(make_model(), x, targets, [KnowledgeInjection([MaskSupervision()])])
    assert fit(model, x, targets, [injection]) == expected


class Masked(KnowledgeInjection):
    """One with a constructor of its own."""

    def __init__(self, name):
        super().__init__([MaskSupervision(name=name)])
        self.note = f"{name} by hand"


@pytest.mark.torch_suffices
def test_a_copy_serves_as_the_original_does(x, targets):
    injection = Masked("masks")
    injection.note += ", twice"
    copied, names = copy.deepcopy(injection), set(vars(injection))

    def history(injection):
        model, data = make_model(rate=0.1), {"validation_data": (x, targets)}
        return fit(model, x, targets, [injection], **data)

    expected = history(injection)
    pickled = pickle.loads(pickle.dumps(injection))
    for each in (copied, copy.deepcopy(injection), pickled):
        assert set(vars(each)) == names
        assert (type(each), each.note) == (Masked, "masks by hand, twice")
        assert history(each) == expected


@pytest.mark.parametrize("kind", ["train", "test"])
@pytest.mark.tensorflow_too
@pytest.mark.torch_suffices
def test_steps_of_other_callbacks_do_not_take_the_place_of_those_with_knowledge(
    x, label, kind
):
    injection, data = KnowledgeInjection([Presence()]), {"validation_data": (x, label)}

    def step(model):
        getattr(model, f"{kind}_on_batch")(x, label)

    alone, before, after, behind = (
        [injection],
        [call_at(f"on_{kind}_batch_begin", step), injection],
        [injection, call_at(f"on_{kind}_batch_end", step)],
        [injection, call_at(f"on_{kind}_batch_begin", step)],
    )
    expected = fit(make_model(), x, label, alone, **data)["presence"]
    for callbacks in (before, after):
        assert fit(make_model(), x, label, callbacks, **data)["presence"] == expected
    message = rf"(?s)Expected.*Received.*`{kind}_on_batch`.*List it before"
    with pytest.raises(ValueError, match=message):
        fit(make_model(), x, label, behind, **data)


class Breaking(keras.utils.PyDataset):
    """Data of which the second batch cannot be read."""

    def __init__(self, *batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 2

    def __getitem__(self, index):
        if index:
            fail(index)
        return self.batch


@pytest.mark.torch_suffices
def test_an_error_in_the_data_leaves_the_model_as_it_was(x, label, targets):
    model = fitted_model(x, label)
    before = state(model)
    data = Breaking(x, targets)
    with pytest.raises(Exception, match="on purpose"):
        fit(model, data, callbacks=[KnowledgeInjection([MaskSupervision()])])
    assert_same_state(before, model)
    assert_plain(model, x, label)


@pytest.mark.parametrize(
    "hook",
    [
        "set_model",
        "on_train_begin",
        "on_train_batch_begin",
        "on_train_batch_end",
        "on_test_batch_end",
        "on_epoch_end",
    ],
)
@pytest.mark.one_in(3)
@pytest.mark.torch_suffices
def test_an_error_in_another_callback_leaves_the_model_as_it_was(
    x, label, targets, hook
):
    model = fitted_model(x, label)
    before = state(model)
    injection = KnowledgeInjection([MaskSupervision()])
    with pytest.raises(RuntimeError, match="on purpose"):
        fit(
            model,
            x,
            targets,
            [call_at(hook, fail), injection],
            validation_data=(x, targets),
        )
    assert_same_state(before, model)
    assert_plain(model, x, label)


def assert_plain(model, x, label):
    """Training without the callback is without its terms."""
    logs = first(fit(model, x, label))
    assert logs.keys() == {"loss", "accuracy"}
    assert_close(logs["loss"], own_losses(model, x, label).mean(), **ALLOWED)


@pytest.mark.torch_suffices
def test_an_error_between_hook_and_step_does_not_harm_the_next_fit(x, label, targets):
    model = fitted_model(x, label)
    injection = KnowledgeInjection([MaskSupervision()])
    with pytest.raises(RuntimeError, match="on purpose"):
        fit(model, x, targets, [injection, call_at("on_train_batch_begin", fail)])
    new = KnowledgeInjection([MaskSupervision()])
    expected = fit(make_model(metrics=["accuracy"]), x, targets, [new])
    assert fit(model, x, targets, [injection]) == expected
    assert_plain(model, x, label)


@pytest.mark.parametrize("recompile", [False, True])
@pytest.mark.torch_suffices
def test_an_error_between_hook_and_step_leaves_a_plain_fit_plain(
    x, label, targets, recompile
):
    model = fitted_model(x, label)
    before = state(model)
    injection = KnowledgeInjection([MaskSupervision()])
    for kind in ("train", "test"):
        failing = [injection, call_at(f"on_{kind}_batch_begin", fail)]
        with pytest.raises(RuntimeError, match="on purpose"):
            fit(model, x, targets, failing, validation_data=(x, targets))
        if recompile:
            compiled(model, metrics=["accuracy"])
        else:
            assert model.evaluate(x, label, verbose=0, return_dict=True).keys() == {
                "loss",
                "accuracy",
            }
        assert_plain(model, x, label)
        assert "make_train_function" not in vars(model)
        if not recompile:
            assert_same_state(before, model)


@pytest.mark.torch_suffices
def test_weights_of_zero_change_nothing(x, label, targets):
    models = [make_model(rate=0.1, **GRAPH) for _ in range(2)]
    terms = [Presence(), MaskSupervision()]
    injection = KnowledgeInjection(terms, weights=0)
    injected = fit(models[0], x, targets, [injection], batch_size=3, epochs=2)
    plain = fit(models[1], x, label, batch_size=3, epochs=2)
    assert injected["loss"] == plain["loss"]
    for weight, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(weight, other)


@pytest.mark.slow_on_jax
def test_fits_with_and_without_the_callback_take_turns(x, label, targets):
    """The same callback twice; each fit as if the others had been of another object."""
    shared = KnowledgeInjection([MaskSupervision()])
    turns = [(targets, [shared]), (label, []), (targets, [shared])]
    model = make_model(rate=0.1)
    for y, callbacks in turns:
        alone = make_model(rate=0.1)
        alone.set_weights(model.get_weights())
        new = [KnowledgeInjection([MaskSupervision()]) for _ in callbacks]
        assert fit(model, x, y, callbacks) == fit(alone, x, y, new)
        for weight, other in zip(model.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, other)


@pytest.mark.tensorflow_too
@pytest.mark.torch_suffices
def test_one_callback_serves_several_models(x, targets, monkeypatch):
    shared = KnowledgeInjection([MaskSupervision()])
    models = [make_model(), compiled(converted())]
    expected = [
        fit(model, x, targets, [KnowledgeInjection([MaskSupervision()])])
        for model in models
    ]
    make_step, made = KnowledgeInjection._make_step, []

    def counted(injection, supervision):
        made.append(supervision.model)
        make_step(injection, supervision)

    monkeypatch.setattr(KnowledgeInjection, "_make_step", counted)
    for _ in range(2):
        assert [fit(model, x, targets, [shared]) for model in models] == expected
    assert made == models * 2


@traced
def test_traces_once(x, targets):
    traced = TracedLoss()
    model = make_model(**GRAPH)
    injection = KnowledgeInjection([traced])
    calls = []
    count = call_at("on_epoch_end", lambda _: calls.append(traced.calls))
    options = {"epochs": 3, "batch_size": 4, "validation_data": (x, targets)}
    for _ in range(2):
        fit(model, x, targets, [injection, count], **options)
    assert len(calls) == 6
    assert calls == [calls[0]] * 6


@pytest.mark.skipif(
    keras.config.backend() == "jax",
    reason="on JAX Keras' optimizers do not let layers freeze during training",
)
def test_follows_a_training_function_that_is_made_anew(x, targets):
    """As Keras asks for when layers are frozen during training."""
    model = make_model(rate=0.5, **GRAPH)
    conv = model.get_layer("conv")
    kernels = []

    def freeze(model):
        if len(kernels) == 1:
            conv.trainable = False
            model.make_train_function(force=True)

    record = call_at("on_epoch_end", lambda _: kernels.append(conv.get_weights()[0]))
    callbacks = [
        KnowledgeInjection([MaskSupervision()]),
        call_at("on_epoch_begin", freeze),
        record,
    ]
    history = fit(model, x, targets, callbacks, epochs=3)
    assert np.isfinite(history["mask_supervision"]).all()
    assert len(set(history["mask_supervision"])) == 3
    start = make_model().get_layer("conv").get_weights()[0]
    assert np.abs(kernels[0] - start).max() > 1e-4
    np.testing.assert_array_equal(kernels[2], kernels[0])


@pytest.mark.skipif(
    keras.config.backend() == "jax",
    reason="on JAX Keras does not go on with a model that is compiled during a fit",
)
@pytest.mark.filterwarnings("ignore:.*received `from_logits=True`")
def test_follows_a_loss_that_is_compiled_anew(x, targets):
    """Which says whether the model's outputs are logits."""
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    epochs = []

    def compile_anew(model):
        epochs.append(1)
        if len(epochs) == 2:
            compiled(model, loss=logits)

    def sufficiency(model, *others):
        kernel, bias = model.layers[-1].get_weights()
        model.layers[-1].set_weights([kernel, np.add(bias, [2, 0, 0])])
        callbacks = [*others, KnowledgeInjection([Sufficiency()])]
        return fit(model, x, targets, callbacks, epochs=2)["sufficiency"]

    first, second = sufficiency(make_model(), call_at("on_epoch_begin", compile_anew))
    assert_close(second, sufficiency(make_model(loss=logits))[1], **ALLOWED)
    assert abs(first - second) > 0.01
