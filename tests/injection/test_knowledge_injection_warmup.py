"""Weights that grow during the first epochs of `fit`."""

import numpy as np
import pytest
from backend_limits import traced
from injection_problem import (
    ALLOWED,
    SAMPLES,
    TracedLoss,
    by_hand,
    call_at,
    first,
    fit,
    make_model,
    own_losses,
)
from step_options import GRAPH
from tolerances import assert_close

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import MaskSupervision, Presence

pytest_plugins = ["injection_problem"]


@pytest.mark.parametrize("initial", [0, 3])
@pytest.mark.torch_suffices
def test_weights_grow_in_a_line(x, label, mask, targets, initial):
    """One step per epoch, so one factor per epoch; validation takes all of it."""
    model = make_model()
    terms = [Presence(), MaskSupervision()]
    injection = KnowledgeInjection(terms, weights=[1, 2], warmup=[0, 2.5])
    history = fit(
        model,
        x,
        targets,
        [injection],
        validation_data=(x, targets),
        epochs=5,
        initial_epoch=initial,
    )
    presence, masks = (by_hand(term, model, x, label, mask).mean() for term in terms)
    own = own_losses(model, x, label).mean()
    factors = np.array([0, 0.4, 0.8, 1, 1])[initial:]
    assert_close(history["loss"], own + presence + 2 * factors * masks, **ALLOWED)
    whole = own + presence + 2 * masks
    assert_close(history["val_loss"], np.full(len(factors), whole), **ALLOWED)
    assert_close(history["mask_supervision"], np.full(len(factors), masks), **ALLOWED)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.torch_suffices
def test_weights_grow_with_the_steps_where_their_number_is_known(
    x, label, targets, is_known
):
    model, term = make_model(), Presence()
    own = own_losses(model, x, label).reshape(3, 2).mean(axis=1)
    values = by_hand(term, model, x, label, targets["mask"]).reshape(3, 2).mean(axis=1)
    batches = ((x[i : i + 2], label[i : i + 2]) for i in (0, 2, 4))
    data, options = ((x, label), {"batch_size": 2}) if is_known else ((batches,), {})
    injection = KnowledgeInjection([term], weights=3, warmup=2)
    options["initial_epoch"], options["epochs"] = 1, 2
    logs = first(fit(model, *data, callbacks=[injection], **options))
    factors = 1 / 2 + (np.arange(3) / 6 if is_known else np.zeros(3))
    assert_close(logs["loss"], np.mean(own + 3 * factors * values), **ALLOWED)


@pytest.mark.torch_suffices
def test_evaluation_takes_the_whole_weight(x, label, mask, targets):
    model, term = make_model(), MaskSupervision()
    injection = KnowledgeInjection([term], warmup=10)
    fit(model, x, targets, [injection])
    options = {"batch_size": SAMPLES, "verbose": 0, "return_dict": True}
    logs = model.evaluate(x, targets, callbacks=[injection], **options)
    whole = own_losses(model, x, label) + by_hand(term, model, x, label, mask)
    assert_close(logs["loss"], whole.mean(), **ALLOWED)


@pytest.mark.torch_suffices
def test_weights_grow_on_beside_evaluations_by_others(x, targets):
    """Which have another number of steps."""
    histories = []
    for times in (0, 1):
        injection = KnowledgeInjection([MaskSupervision()], warmup=2)

        def evaluate(model, injection=injection):
            model.evaluate(x, targets, SAMPLES, verbose=0, callbacks=[injection])

        callbacks = [injection, *[call_at("on_epoch_end", evaluate)] * times]
        history = fit(make_model(), x, targets, callbacks, batch_size=2, epochs=2)
        histories.append(history)
    assert histories[0] == histories[1]


@traced
def test_growing_weights_are_traced_once(x, targets):
    traced = TracedLoss()
    injection = KnowledgeInjection([traced], warmup=3)
    calls = []
    count = call_at("on_train_batch_end", lambda _: calls.append(traced.calls))
    fit(make_model(**GRAPH), x, targets, [injection, count], epochs=4)
    assert len(calls) == 4
    assert calls == [calls[0]] * 4


@pytest.mark.parametrize("warmup", [-1, [1, -0.5], [1], [1, 2, 3], float("nan")])
def test_refuses_other_numbers_of_epochs(warmup):
    with pytest.raises(ValueError, match=r"(?s)Expected `warmup`.*Received"):
        KnowledgeInjection([Presence(), MaskSupervision()], warmup=warmup)
