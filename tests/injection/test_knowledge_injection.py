"""`KnowledgeInjection` adds its terms to `fit` and `evaluate`, and nothing else."""

import math

import keras
import numpy as np
import pytest
from autodiff import layer_gradients
from backend_limits import compiled_steps, several_steps
from injection_problem import (
    ALLOWED,
    SAMPLES,
    TracedLoss,
    as_float64,
    assert_same_state,
    by_hand,
    call_at,
    first,
    fit,
    make_model,
    own_losses,
    repeated,
    state,
)
from keras import ops
from step_options import CHEAP, EAGER, GRAPH
from tolerances import assert_close, layer_tolerance

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import MaskSupervision, Presence

pytestmark = pytest.mark.jax_too

pytest_plugins = ["injection_problem"]

# What is added.

MODES = {
    "cheap": (CHEAP, ALLOWED),
    "graph": (GRAPH, ALLOWED),
    "compiled": pytest.param({"jit_compile": True}, ALLOWED, marks=compiled_steps),
    "mixed_float16": pytest.param(
        {"dtype": "mixed_float16", **CHEAP},
        layer_tolerance("float16", 4),
        marks=pytest.mark.slow_on_jax,
    ),
    "mixed_float16 graph": pytest.param(
        {"dtype": "mixed_float16", **GRAPH},
        layer_tolerance("float16", 4),
        marks=pytest.mark.slow_on_jax,
    ),
    "mixed_bfloat16": pytest.param(
        {"dtype": "mixed_bfloat16", **GRAPH},
        layer_tolerance("bfloat16", 4),
        marks=pytest.mark.slow_on_jax,
    ),
}


@pytest.mark.parametrize("options, allowed", MODES.values(), ids=MODES)
@pytest.mark.one_in(2)
def test_loss_is_the_models_own_plus_weighted_terms(
    x, label, mask, targets, options, allowed
):
    model = make_model(metrics=["accuracy"], **options)
    terms = [Presence(), MaskSupervision()]
    logs = first(fit(model, x, targets, [KnowledgeInjection(terms, weights=[0.5, 2])]))
    presence, masks = (by_hand(term, model, x, label, mask).mean() for term in terms)
    own = own_losses(model, x, label).mean()
    assert logs.keys() == {"loss", "accuracy", "presence", "mask_supervision"}
    assert_close(logs["presence"], presence, **allowed)
    assert_close(logs["mask_supervision"], masks, **allowed)
    assert_close(logs["loss"], own + 0.5 * presence + 2 * masks, **allowed)
    right = np.argmax(as_float64(model(x)), axis=-1) == label
    assert_close(logs["accuracy"], right.mean(), **allowed)


def test_terms_have_gradients(x, label, mask, targets):
    model = make_model(rate=1.0)
    before = [ops.convert_to_numpy(v) + 0 for v in model.trainable_variables]

    def loss(probabilities, *records):
        own = keras.losses.sparse_categorical_crossentropy(label, probabilities)
        areas = [ops.mean(ops.sigmoid(record.logits)) for record in records]
        return ops.mean(own) + 3 * sum(areas) / 2

    _, *gradients = layer_gradients(model, x, loss, training=True)
    fit(model, x, targets, [KnowledgeInjection([TracedLoss()], weights=3)])
    for weight, old, gradient in zip(
        model.trainable_variables, before, *gradients, strict=True
    ):
        assert_close(weight, old - gradient, **ALLOWED)


@pytest.mark.torch_suffices
def test_every_term_has_a_twin_in_validation(x, label, mask, targets):
    model, other = make_model(), 3 * x
    terms = [Presence(), MaskSupervision(name="masks")]
    history = fit(
        model,
        x,
        targets,
        [KnowledgeInjection(terms)],
        validation_data=(other, targets),
        epochs=2,
    )
    names = {"loss", "presence", "masks"}
    assert history.keys() == names | {f"val_{name}" for name in names}
    for term in terms:
        for images, name in ((x, term.name), (other, f"val_{term.name}")):
            expected = by_hand(term, model, images, label, mask).mean()
            assert_close(history[name], [expected] * 2, **ALLOWED)


@pytest.mark.torch_suffices
def test_targets_can_be_split_for_validation(x, targets):
    injection, data = KnowledgeInjection([MaskSupervision()]), repeated(2, x, targets)
    logs = first(fit(make_model(), *data, [injection], validation_split=0.5))
    assert np.isfinite(logs["mask_supervision"])
    assert np.isfinite(logs["val_mask_supervision"])


@pytest.mark.torch_suffices
def test_validation_by_labels_alone_leaves_masks_out(x, label, mask, targets):
    model = make_model()
    terms = [Presence(), MaskSupervision()]
    logs = first(
        fit(
            model,
            x,
            targets,
            [KnowledgeInjection(terms)],
            validation_data=(x, label),
        )
    )
    presence = by_hand(terms[0], model, x, label, mask).mean()
    assert math.isnan(logs["val_mask_supervision"])
    assert_close(logs["val_presence"], presence, **ALLOWED)
    own = own_losses(model, x, label).mean()
    assert_close(logs["val_loss"], own + presence, **ALLOWED)


@pytest.mark.torch_suffices
def test_compiled_loss_and_metrics_see_the_label_alone(x, label, targets):
    seen = []

    def loss(y_true, y_pred):
        seen.append(y_true)
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

    def metric(y_true, y_pred):
        seen.append(y_true)
        return ops.mean(y_pred, axis=-1)

    model = make_model(loss=loss, metrics=[metric], **EAGER)
    # Keras may build the model first.
    forget = call_at("on_train_batch_begin", lambda _: seen.clear())
    fit(model, x, targets, [KnowledgeInjection([MaskSupervision()]), forget])
    assert len(seen) == 2
    for y_true in seen:
        assert_close(ops.reshape(y_true, (-1,)), label, 0, 0)


def as_batches(x, targets):
    for start in range(0, SAMPLES, 2):
        yield (
            x[start : start + 2],
            {name: value[start : start + 2] for name, value in targets.items()},
        )


class Sequence(keras.utils.PyDataset):
    def __init__(self, *data):
        super().__init__()
        self.batches = list(as_batches(*data))

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


@pytest.mark.torch_suffices
def test_all_kinds_of_data_give_the_same(x, targets):
    kinds = [
        {"x": Sequence(x, targets)},
        {"x": as_batches(x, targets), "steps_per_epoch": 3},
    ]
    injection = KnowledgeInjection([Presence(), MaskSupervision()])
    expected = fit(make_model(rate=0.1), x, targets, [injection], batch_size=2)
    for data in kinds:
        history = fit(make_model(rate=0.1), **data, callbacks=[injection])
        assert history == expected


@several_steps
@pytest.mark.thorough
def test_several_steps_per_execution_give_the_same(x, targets):
    histories = [
        fit(
            make_model(rate=0.1, steps_per_execution=steps, **options),
            np.concatenate([x, 2 * x, -x]),
            repeated(3, targets)[0],
            [KnowledgeInjection([Presence(), MaskSupervision()])],
            batch_size=SAMPLES,
        )
        for steps, options in ((1, {}), (3, GRAPH))
    ]
    for name in histories[0]:
        assert_close(histories[1][name], histories[0][name], **ALLOWED)


# Which samples count, and how much.


@pytest.mark.torch_suffices
def test_samples_without_a_mask_have_no_influence(x, label, mask):
    """Be they flagged for all knowledge or for masks."""
    valid = np.array([1, 0, 1, 1, 0, 0])
    contents = [(one, valid) for one in (mask[valid == 0], 0.0, np.nan, 255.0)]
    results = []
    for content, flags in (*contents, (np.nan, {"mask": valid})):
        filled = mask.copy()
        filled[valid == 0] = content
        model = make_model(rate=0.1)
        expected = by_hand(MaskSupervision(), model, x, label, mask)
        own = own_losses(model, x, label).mean()
        targets = {"label": label, "mask": filled, "valid": flags}
        history = fit(model, x, targets, [KnowledgeInjection([MaskSupervision()])])
        results.append((history, model.get_weights()))
    for history, weights in results:
        assert_close(
            history["mask_supervision"], [expected[valid == 1].mean()], **ALLOWED
        )
        assert_close(history["loss"], [own + np.mean(expected * valid)], **ALLOWED)
        assert history == results[0][0]
        for weight, other in zip(weights, results[0][1], strict=True):
            np.testing.assert_array_equal(weight, other)


@pytest.mark.torch_suffices
def test_presence_counts_where_masks_are_not_valid(x, label, mask, targets):
    model = make_model()
    terms = [Presence(), MaskSupervision()]
    targets["valid"] = np.zeros(SAMPLES, bool)
    logs = first(fit(model, x, targets, [KnowledgeInjection(terms)]))
    presence = by_hand(terms[0], model, x, label, mask).mean()
    assert_close(logs["presence"], presence, **ALLOWED)
    assert math.isnan(logs["mask_supervision"])
    own = own_losses(model, x, label).mean()
    assert_close(logs["loss"], own + presence, **ALLOWED)


@pytest.mark.torch_suffices
def test_images_that_nobody_labelled_are_left_out(x, label, mask):
    model = make_model(loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=-1))
    values = by_hand(Presence(), model, x, label, mask)
    known = np.arange(SAMPLES) % 3 > 0
    given = np.where(known, label, -1)
    logs = first(fit(model, x, given, [KnowledgeInjection([Presence()])]))
    assert_close(logs["presence"], values[known].mean(), **ALLOWED)
    # The loss is a mean over all images, as with sample weights.
    own = own_losses(model, x, label)[known].mean()
    expected = own + np.where(known, values, 0).mean()
    assert_close(logs["loss"], expected, **ALLOWED)


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("kind", ["arrays", "batches"])
@pytest.mark.torch_suffices
def test_sample_weights_count_in_every_term(x, label, mask, targets, kind, column):
    weight = np.array([0, 1, 2, 0.5, 0.25, 1], "float32")
    given = weight[:, None] if column else weight
    model = make_model()
    term = MaskSupervision()
    injection = KnowledgeInjection([term], weights=2)
    if kind == "arrays":
        history = fit(model, x, targets, [injection], sample_weight=given)
    else:
        batches = (batch for batch in [(x, targets, given)])
        history = fit(model, batches, callbacks=[injection], steps_per_epoch=1)
    logs, values = first(history), by_hand(term, model, x, label, mask)
    own = own_losses(model, x, label)
    assert_close(logs["loss"], np.mean(weight * (own + 2 * values)), **ALLOWED)
    expected = np.average(values, weights=weight)
    assert_close(logs["mask_supervision"], expected, **ALLOWED)


@pytest.mark.torch_suffices
def test_class_weights_count_in_every_term(x, label):
    weights = {0: 0.5, 1: 3.0, 2: 0.0}
    as_samples = np.array([weights[k] for k in label])
    results = [
        fit(make_model(rate=0.1), x, label, [KnowledgeInjection([Presence()])], **given)
        for given in ({"class_weight": weights}, {"sample_weight": as_samples})
    ]
    assert results[0] == results[1]


COMPILED = {
    "by name": ("categorical_crossentropy", True),
    "object": (keras.losses.CategoricalFocalCrossentropy(), True),
    "function": (keras.losses.kl_divergence, True),
    "binary": ("binary_crossentropy", False),
    "neither": (keras.losses.MeanSquaredError(), False),
}


@pytest.mark.parametrize("loss, exclusive", COMPILED.values(), ids=COMPILED)
@pytest.mark.torch_suffices
def test_the_compiled_loss_says_whether_the_likeliest_class_is_present(
    x, label, mask, loss, exclusive
):
    soft = np.float32([[0.45, 0.3, 0.25], [0.25, 0.45, 0.3], [0.3, 0.25, 0.45]])[label]
    model, term = make_model(loss=loss), MaskSupervision()
    logs = first(
        fit(model, x, {"label": soft, "mask": mask}, [KnowledgeInjection([term])])
    )
    shown = mask if exclusive else 0 * mask
    expected = by_hand(term, model, x, label, shown).mean()
    assert_close(logs["mask_supervision"], expected, **ALLOWED)


# Evaluation.


@pytest.mark.slow_on_jax
def test_evaluate_takes_the_callback_for_targets_with_knowledge(
    x, label, mask, targets
):
    model, term = make_model(metrics=["accuracy"]), MaskSupervision()
    before = state(model)
    injection = KnowledgeInjection([term], weights=3)
    # The last batch is smaller.
    options = {"batch_size": 4, "verbose": 0}
    logs = model.evaluate(
        x, targets, callbacks=[injection], return_dict=True, **options
    )
    values = by_hand(term, model, x, label, mask).mean()
    own = own_losses(model, x, label).mean()
    assert_close(logs["mask_supervision"], values, **ALLOWED)
    assert_close(logs["loss"], own + 3 * values, **ALLOWED)
    assert_same_state(before, model)
    listed = model.evaluate(x, targets, callbacks=[injection], **options)
    names = ("loss", "accuracy", "mask_supervision")
    assert_close(listed, [logs[name] for name in names], **ALLOWED)
    plain = model.evaluate(x, label, return_dict=True, **options)
    assert plain.keys() == {"loss", "accuracy"}
    assert_close(plain["loss"], own, **ALLOWED)


@pytest.mark.tensorflow_too
@pytest.mark.torch_suffices
def test_others_may_evaluate_during_fit(x, label, mask, targets):
    """With the callback or without it, and the training goes on with knowledge."""
    model, term = make_model(), MaskSupervision()
    injection = KnowledgeInjection([term])
    others = []

    def evaluate(model):
        options = {"batch_size": SAMPLES, "verbose": 0, "return_dict": True}
        others.append(model.evaluate(x, label, **options))
        others.append(model.evaluate(x, targets, callbacks=[injection], **options))

    hooks = ("on_train_batch_end", "on_epoch_begin", "on_epoch_end")
    evaluations = [call_at(hook, evaluate) for hook in hooks]
    history = fit(model, x, targets, [*evaluations, injection], epochs=2)
    values = by_hand(term, model, x, label, mask).mean()
    own = own_losses(model, x, label).mean()
    assert_close(history["mask_supervision"], [values] * 2, **ALLOWED)
    assert_close(history["loss"], [own + values] * 2, **ALLOWED)
    assert_close([logs["loss"] for logs in others], [own, own + values] * 6, **ALLOWED)
    assert "mask_supervision" not in others[0]
