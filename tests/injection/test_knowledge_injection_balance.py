"""Terms that are balanced by uncertainty."""

import numpy as np
import pytest
from injection_problem import ALLOWED, SAMPLES, fit, make_model
from keras import ops
from tolerances import assert_close

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.injection.step.terms import Terms
from keras_lap.losses import FunctionLoss, MaskSupervision, Presence

pytest_plugins = ["injection_problem"]
pytestmark = pytest.mark.torch_suffices

WEIGHTS = [0.5, 2.0]


def balanced(losses, weights, **options):
    return KnowledgeInjection(losses, weights, balance="uncertainty", **options)


def losses():
    return [Presence(), MaskSupervision()]


def test_terms_enter_by_their_logarithms(x, targets):
    plain = fit(make_model(), x, targets, [KnowledgeInjection(losses(), weights=0)])
    logs = fit(make_model(), x, targets, [balanced(losses(), WEIGHTS)])
    terms = [logs["presence"][0], logs["mask_supervision"][0]]
    expected = plain["loss"][0] + np.dot(WEIGHTS, np.log1p(100 * np.array(terms)))
    assert_close(logs["loss"], [expected], **ALLOWED)


def test_the_gradient_is_that_of_the_logarithm(x, targets):
    """One step goes where fixed weights over the terms would have led."""
    found = []
    model = make_model(rate=0.1)
    start = model.get_weights()
    logs = fit(model, x, targets, [balanced(losses(), WEIGHTS)])
    found.append(model.get_weights())
    terms = np.array([logs["presence"][0], logs["mask_supervision"][0]])
    model = make_model(rate=0.1)
    fixed = KnowledgeInjection(losses(), list(WEIGHTS / (0.01 + terms)))
    fit(model, x, targets, [fixed])
    found.append(model.get_weights())
    assert max(np.abs(a - b).max() for a, b in zip(start, found[0], strict=True)) > 0.01
    for actual, expected in zip(*found, strict=True):
        assert_close(actual, expected, **ALLOWED)


def scaled(factor):
    """Mask supervision in another unit."""

    def term(logits, mask):
        return factor * MaskSupervision()(logits, mask=mask)

    return FunctionLoss(term, name="term")


@pytest.mark.parametrize("factor", [100.0, 1e4])
def test_the_unit_of_a_term_makes_no_difference(x, targets, factor):
    found = []
    for unit in (1.0, factor):
        model = make_model(rate=0.1)
        fit(model, x, targets, [balanced([scaled(unit)], 0.5)])
        found.append(model.get_weights())
    for actual, expected in zip(*found, strict=True):
        # 0.01 beside a term of about 2.
        assert_close(actual, expected, rtol=0.01, atol=1e-3)


def test_terms_without_samples_add_nothing_to_the_gradient(x, targets):
    targets["valid"] = {"mask": np.zeros(SAMPLES)}
    found = []
    for weight in (0, 5):
        model = make_model(rate=0.1)
        with pytest.warns(UserWarning, match="mask_supervision.*NaN"):
            logs = fit(model, x, targets, [balanced([MaskSupervision()], weight)])
        assert np.isfinite(logs["loss"]).all()
        found.append(model.get_weights())
    for actual, expected in zip(*found, strict=True):
        assert_close(actual, expected, 0, 0)


@pytest.mark.parametrize("balance", [None, "uncertainty"])
def test_a_replica_without_samples_adds_nothing(balance):
    terms, nothing = Terms(["term"], [1.0], [0.0], balance), np.zeros(0, "float32")
    added = terms.add(0, ops.array(nothing), ops.array(nothing), is_training=True)
    assert_close(added, 0, 0, 0)


def test_terms_below_zero_do_not_spoil_the_loss(x, targets):
    def below(logits):
        return -ops.mean(ops.sigmoid(logits), axis=(1, 2, 3))

    model = make_model(rate=0.1)
    assert np.isfinite(fit(model, x, targets, [balanced(below, 1)])["loss"]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_refuses_other_ways():
    with pytest.raises(ValueError, match=r"(?s)Expected `balance`.*'uncertainty'"):
        KnowledgeInjection(losses(), balance="gradients")
