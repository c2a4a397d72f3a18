"""`KnowledgeInjection` with steps that, as on JAX alone, return the state."""

import keras
import numpy as np
import pytest
from injection_problem import (
    ALLOWED,
    SIZE,
    body,
    by_hand,
    compiled,
    first,
    fit,
    own_losses,
)
from tolerances import assert_close

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import MaskSupervision, Necessity, RightReasons

if keras.config.backend() != "jax":
    pytest.skip("JAX itself is tested", allow_module_level=True)

import jax

pytest_plugins = ["injection_problem"]
pytestmark = pytest.mark.jax_too


def made(kind):
    return compiled(kind([keras.Input((SIZE, SIZE, 1)), *body()]))


class OwnMetrics(keras.Sequential):
    """Says itself which metrics it has, as Keras' guide does."""

    def __init__(self, *args):
        super().__init__(*args)
        self.tracker = keras.metrics.Mean(name="tracker")

    @property
    def metrics(self):
        return [self.tracker]


def test_terms_travel_with_metrics_of_ones_own(x, label, mask, targets):
    model, term = made(OwnMetrics), MaskSupervision()
    logs = first(fit(model, x, targets, [KnowledgeInjection([term])]))
    expected = by_hand(term, model, x, label, mask).mean()
    assert_close(logs["mask_supervision"], expected, **ALLOWED)
    assert model.metrics == [model.tracker]
    assert len(model.tracker.variables) == 2


class NoMetrics(keras.Sequential):
    metrics = ()


def test_says_that_a_metric_has_to_carry_the_terms(x, targets):
    injection = KnowledgeInjection([MaskSupervision()])
    with pytest.raises(
        ValueError, match=r"(?s)Expected.*a metric.*Received.*`metrics`"
    ):
        fit(made(NoMetrics), x, targets, [injection])


def test_refuses_nnx(x, targets, monkeypatch):
    monkeypatch.setattr(keras.config, "is_nnx_enabled", lambda: True)
    injection = KnowledgeInjection([MaskSupervision()])
    with pytest.raises(ValueError, match=r"(?s)Expected.*NNX.*Received.*KERAS_NNX_EN"):
        fit(made(keras.Sequential), x, targets, [injection])


class OwnStep(keras.Sequential):
    """A step that updates each metric by itself, as Keras' guide does."""

    def train_step(self, state, data):
        (trainable, others, optimizer, metrics), (x, y) = state, data

        def loss_of(trainable):
            y_pred, _ = self.stateless_call(trainable, others, x, training=True)
            return self.loss_of(trainable, others, metrics, x, y, y_pred)

        (loss, metrics), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            trainable
        )
        trainable, optimizer = self.optimizer.stateless_apply(
            optimizer, gradients, trainable
        )
        logs, updated = {}, []
        for metric in self.metrics:
            values = metrics[len(updated) :][: len(metric.variables)]
            updated += metric.stateless_update_state(values, loss)
            logs[metric.name] = metric.stateless_result(updated[-len(values) :])
        return logs, (trainable, others, optimizer, updated)


class InScope(OwnStep):
    def loss_of(self, trainable, others, metrics, x, y, y_pred):
        loss, (_, _, metrics) = self.stateless_compute_loss(
            trainable, others, metrics, x, y, y_pred
        )
        return loss, metrics


class OutsideOfScopes(OwnStep):
    def loss_of(self, trainable, others, metrics, x, y, y_pred):
        return self.compute_loss(x, y, y_pred), metrics


def test_a_step_of_ones_own_records_terms_by_stateless_compute_loss(
    x, label, mask, targets
):
    model, term = made(InScope), MaskSupervision()
    logs = first(fit(model, x, targets, [KnowledgeInjection([term])]))
    values = by_hand(term, model, x, label, mask).mean()
    assert_close(logs["mask_supervision"], values, **ALLOWED)
    own = own_losses(model, x, label).mean()
    assert_close(logs["loss"], own + values, **ALLOWED)


def test_outside_of_scopes_terms_count_and_are_not_recorded(x, label, mask, targets):
    model, term = made(OutsideOfScopes), MaskSupervision()
    with pytest.warns(UserWarning, match="or the model's own step has not recorded"):
        logs = first(fit(model, x, targets, [KnowledgeInjection([term])]))
    assert np.isnan(logs["mask_supervision"])
    whole = own_losses(model, x, label) + by_hand(term, model, x, label, mask)
    assert_close(logs["loss"], whole.mean(), **ALLOWED)


@pytest.mark.parametrize("loss", [Necessity, RightReasons])
def test_losses_that_call_the_model_say_that_it_has_no_weights(x, targets, loss):
    injection = KnowledgeInjection([loss()])
    with pytest.raises(ValueError, match=r"(?s)Expected.*stateless_compute_loss.*Rec"):
        fit(made(OutsideOfScopes), x, targets, [injection])
