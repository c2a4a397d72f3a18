"""`KnowledgeInjection` with what TensorFlow alone has: tf.data, graphs of any size."""

import inspect
import warnings

import keras
import numpy as np
import pytest
from injection_problem import (
    ALLOWED,
    CLASSES,
    SAMPLES,
    SIZE,
    TracedLoss,
    assert_same_state,
    body,
    by_hand,
    call_at,
    compiled,
    first,
    fit,
    make_model,
    own_losses,
    state,
)
from keras import layers
from step_options import EAGER, GRAPH
from tolerances import assert_close

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import MaskSupervision, Presence

if keras.config.backend() != "tensorflow":
    pytest.skip("TensorFlow itself is tested", allow_module_level=True)

import tensorflow as tf

pytest_plugins = ["injection_problem"]


def test_the_models_own_loss_may_be_float64(x, targets):
    expected = fit(make_model(**EAGER), x, targets, [KnowledgeInjection([Presence()])])
    keras.config.set_floatx("float64")
    try:
        model = make_model(**EAGER)
        logs = fit(model, x, targets, [KnowledgeInjection([Presence()])])
    finally:
        keras.config.set_floatx("float32")
    assert_close(logs["loss"], expected["loss"], **ALLOWED)


@pytest.mark.parametrize("is_nested", [False, True])
def test_refuses_a_model_that_is_called_again_for_the_gradient(x, targets, is_nested):
    with keras.RematScope(mode="full"):
        model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), *body()], name="again")
    if is_nested:
        model = keras.Sequential([model])
    with pytest.raises(ValueError, match=r"(?s)Expected.*'again'.*outside"):
        fit(compiled(model), x, targets, [KnowledgeInjection([Presence()])])


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_may_end_before_the_first_step(x, label, targets):
    logs = []
    for y, callbacks in ((label, []), (targets, [KnowledgeInjection([Presence()])])):
        data = tf.data.Dataset.from_tensor_slices((x, y)).batch(2)
        options = {"callbacks": callbacks, "verbose": 0, "return_dict": True}
        nothing = data.filter(lambda *_: False)
        logs.append(make_model(**GRAPH).evaluate(nothing, **options))
    assert logs[0] == logs[1]


@pytest.mark.parametrize("column", [False, True])
def test_sample_weights_of_a_dataset_count(x, label, mask, targets, column):
    weight = np.array([0, 1, 2, 0.5, 0.25, 1], "float32")
    given = weight[:, None] if column else weight
    model, term = make_model(), MaskSupervision()
    data = tf.data.Dataset.from_tensor_slices((x, targets, given)).batch(SAMPLES)
    injection = KnowledgeInjection([term], weights=2)
    logs = first(fit(model, data, callbacks=[injection]))
    values, own = by_hand(term, model, x, label, mask), own_losses(model, x, label)
    assert_close(logs["loss"], np.mean(weight * (own + 2 * values)), **ALLOWED)
    expected = np.average(values, weights=weight)
    assert_close(logs["mask_supervision"], expected, **ALLOWED)


def test_unknown_image_sizes_are_traced_once(rng):
    model = compiled(keras.Sequential([keras.Input((None, None, 1)), *body()]), **GRAPH)

    def batches():
        for size in ((8, 8), (12, 6), (5, 9)):
            mask = rng.choice([0.0, 1.0], size=(2, *size))
            yield rng.normal(size=(2, *size, 1)), {"label": [0, 2], "mask": mask}

    signature = (
        tf.TensorSpec((None, None, None, 1)),
        {"label": tf.TensorSpec((None,)), "mask": tf.TensorSpec((None, None, None))},
    )
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    data = data.apply(tf.data.experimental.assert_cardinality(3))
    traced = TracedLoss()
    injection = KnowledgeInjection([MaskSupervision(), traced])
    calls = []
    count = call_at("on_train_batch_end", lambda _: calls.append(traced.calls))
    expected = r"\['mask_supervision'\].*tf.ensure_shape"
    with pytest.warns(UserWarning, match=expected) as told:
        logs = first(fit(model, data, callbacks=[injection, count]))
    (unknown,) = (each for each in told if "ensure_shape" in str(each.message))
    assert unknown.filename == inspect.getfile(fit)
    assert np.isfinite(list(logs.values())).all()
    assert len(calls) == 3
    assert calls == [calls[0]] * 3


def test_the_model_tells_sizes_that_the_data_does_not(x, label):
    """Masks lie where the pixels behind a convolution without padding are."""
    x, mask = 30 * x, np.zeros((SAMPLES, SIZE, SIZE))
    mask[..., :4] = 1
    targets = {"label": label, "mask": mask}
    rigid = tf.data.Dataset.from_tensors((x, targets))
    loose = tf.data.Dataset.from_generator(
        lambda: [(x, targets)],
        output_signature=tf.nest.map_structure(
            lambda spec: tf.TensorSpec([None] * spec.shape.rank, spec.dtype),
            rigid.element_spec,
        ),
    ).apply(tf.data.experimental.assert_cardinality(1))
    found = []
    for data, options in ((rigid, EAGER), (loose, GRAPH)):
        keras.utils.set_random_seed(1)
        stack = [layers.Conv2D(4, 5, activation="relu"), *body()[1:]]
        model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), *stack])
        injection = KnowledgeInjection([MaskSupervision()])
        logs = fit(compiled(model, **options), data, callbacks=[injection])
        found.append(logs["mask_supervision"])
    assert_close(found[1], found[0], **ALLOWED)


@pytest.mark.thorough
def test_sizes_are_looked_at_anew_in_each_data_set(x, targets):
    model = compiled(keras.Sequential([keras.Input((None, None, 1)), *body()]), **GRAPH)
    injection, size = KnowledgeInjection([MaskSupervision()]), (SAMPLES, 8, 8)
    small = {**targets, "mask": np.zeros(size)}
    for images in (x, np.zeros((*size, 1)), x):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit(model, images, small, [injection])
    wide = {**targets, "mask": np.zeros((SAMPLES, 8, 16))}
    for _ in range(2):
        with pytest.raises(ValueError, match="aspect ratio"):
            fit(model, x, wide, [injection])
    fit(model, x, targets, [injection])


def test_data_sets_that_take_turns_are_traced_once_each(x, label):
    model = compiled(keras.Sequential([keras.Input((None, None, 1)), *body()]), **GRAPH)
    traced, counted = TracedLoss(), []
    injection = KnowledgeInjection(traced)
    for size in (SIZE, 8) * 2:
        fit(model, x[:, :size, :size], label, [injection])
        counted.append(traced.calls)
    assert counted[0] < counted[1]
    assert counted[1:] == [counted[1]] * 3


def test_a_last_batch_may_be_smaller_than_the_model_says(x, targets):
    image = keras.Input(batch_shape=(SAMPLES, SIZE, SIZE, 1))
    model = compiled(keras.Sequential([image, *body()]), **GRAPH)
    whole = tf.data.Dataset.from_tensors((x, targets))
    parts = tf.data.Dataset.from_generator(
        lambda: [tf.nest.map_structure(lambda part: part[:2], (x, targets))],
        output_signature=tf.nest.map_structure(
            lambda spec: tf.TensorSpec([None] * spec.shape.rank, spec.dtype),
            whole.element_spec,
        ),
    ).apply(tf.data.experimental.assert_cardinality(1))
    logs = first(fit(model, parts, callbacks=[KnowledgeInjection([MaskSupervision()])]))
    assert np.isfinite(logs["mask_supervision"])


@pytest.mark.parametrize("name", ["label", "mask", "valid"])
def test_refuses_targets_of_unknown_rank(x, targets, name):
    def forget(x, y):
        values = y[name]
        (forgotten,) = tf.numpy_function(lambda v: [v], [values], [values.dtype])
        return x, {**y, name: forgotten}

    targets = {**targets, "valid": np.ones(SAMPLES)}
    data = tf.data.Dataset.from_tensors((x, targets)).map(forget)
    message = rf"(?s)Expected.*axes.*Received \['{name}'\].*tf.ensure_shape"
    with pytest.raises(ValueError, match=message):
        injection = KnowledgeInjection([MaskSupervision()])
        fit(make_model(**GRAPH), data, callbacks=[injection])


def test_an_error_in_the_data_leaves_the_model_as_it_was(x, label, targets):
    def batches():
        yield x, targets
        raise RuntimeError("on purpose")

    model = make_model()
    fit(model, x, label)
    before = state(model)
    spec = tf.nest.map_structure(
        lambda value: tf.TensorSpec(value.shape, value.dtype), (x, targets)
    )
    data = tf.data.Dataset.from_generator(batches, output_signature=spec)
    with pytest.raises(tf.errors.OpError, match="on purpose"):
        fit(model, data, callbacks=[KnowledgeInjection([MaskSupervision()])])
    assert_same_state(before, model)
    logs = first(fit(model, x, label))
    assert_close(logs["loss"], own_losses(model, x, label).mean(), **ALLOWED)


class TwoLosses(keras.Model):
    """Calls itself twice, each time before a loss that is not told the images."""

    def test_step(self, data):
        x, y = data
        total = 0.0
        for _ in range(2):
            total = total + self.compute_loss(y=y, y_pred=self(x, training=False))
        return {"total": total}


def test_each_loss_reads_the_forward_pass_before_it(x, targets):
    x = 30 * x
    losses, terms = [], []
    for kind in (keras.Model, TwoLosses):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((SIZE, SIZE, 1))
        maps = layers.Conv2D(4, 5, activation="relu")(inputs)
        features = GlobalLAPooling2D(concepts=CLASSES)(LAPooling2D(2)(maps))
        head = layers.Dense(CLASSES, activation="softmax")(features)
        model = compiled(kind(inputs, head))
        logs = model.evaluate(
            x,
            targets,
            verbose=0,
            return_dict=True,
            callbacks=[KnowledgeInjection([MaskSupervision()], weights=3)],
        )
        terms.append(logs["mask_supervision"])
        losses.append(logs["total"] if kind is TwoLosses else 2 * logs["loss"])
    assert_close(terms[1], terms[0], **ALLOWED)
    assert_close(losses[1], losses[0], **ALLOWED)


class LossesOfTwoGraphs(keras.Sequential):
    """Computes a loss in a function of its own, and another one outside of it."""

    def test_step(self, data):
        def loss(x, y):
            return self.compute_loss(y=y, y_pred=self(x, training=False))

        inside = tf.function(loss, autograph=False)(*data)
        return {"inside": inside, "outside": loss(*data)}


def test_no_loss_reads_what_another_one_has_computed_in_its_graph(x, mask):
    layer = GlobalLAPooling2D(concepts=1)
    model = LossesOfTwoGraphs([keras.Input((SIZE, SIZE, 1)), layer])
    compiled(model, loss="mse")
    options = {"callbacks": [KnowledgeInjection([MaskSupervision()])], "verbose": 0}
    targets = {"label": np.ones((SAMPLES, 1)), "mask": mask}
    logs = model.evaluate(x, targets, return_dict=True, **options)
    assert_close(logs["inside"], logs["outside"], **ALLOWED)
