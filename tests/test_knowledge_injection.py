"""`KnowledgeInjection` adds its terms to `fit` and `evaluate`, and nothing else."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from tolerances import assert_close, layer_tolerance, tolerance

import keras_lap
from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.callbacks import GateAnneal, KnowledgeInjection
from keras_lap.injection.knowledge import default_class_concepts
from keras_lap.injection.step_function import StepFunction
from keras_lap.layers import score_tape
from keras_lap.losses import KnowledgeLoss, MaskSupervision, Presence

SAMPLES, SIZE, CLASSES = 6, 16, 3
ALLOWED = tolerance("float32", SIZE**2, 10)


# A small problem.


@pytest.fixture
def x(rng):
    return rng.normal(size=(SAMPLES, SIZE, SIZE, 1)).astype("float32")


@pytest.fixture
def label():
    return np.arange(SAMPLES) % CLASSES


@pytest.fixture
def mask(rng):
    return rng.choice([0.0, 1.0], size=(SAMPLES, SIZE, SIZE)).astype("float32")


@pytest.fixture
def targets(label, mask):
    return {"label": label, "mask": mask}


def body(dtype=None):
    return [
        layers.Conv2D(
            4, 3, padding="same", activation="relu", name="conv", dtype=dtype
        ),
        LAPooling2D(2, name="pool", dtype=dtype),
        GlobalLAPooling2D(concepts=CLASSES, name="head", dtype=dtype),
        layers.Dense(CLASSES, activation="softmax", dtype="float32"),
    ]


def compiled(model, rate=0.0, **options):
    """The model, compiled, eager unless told otherwise, and learning nothing."""
    if "jit_compile" not in options:
        options.setdefault("run_eagerly", True)
    options.setdefault("loss", "sparse_categorical_crossentropy")
    options.setdefault("metrics", ["accuracy"])
    model.compile(keras.optimizers.SGD(rate), **options)
    return model


def make_model(rate=0.0, dtype=None, **options):
    """The same model each time, weights included."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), *body(dtype)])
    return compiled(model, rate, **options)


GRAPH = {"jit_compile": False}


def fit(model, x, y=None, callbacks=(), **options):
    options = {"shuffle": False, "verbose": 0, **options}
    if y is not None:
        options.setdefault("batch_size", SAMPLES)
    return model.fit(x, y, callbacks=list(callbacks), **options).history


def first(history):
    """Values of the first epoch."""
    return {name: values[0] for name, values in history.items()}


def own_losses(model, x, label):
    """Cross-entropy of each sample."""
    probabilities = np.float64(model(x, training=False))
    return -np.log(probabilities[np.arange(SAMPLES), label])


def by_hand(term, model, x, label, mask, names=("pool", "head"), matrix=None):
    """The term of each sample, the mean over the layers of these names."""
    with score_tape() as records:
        model(x, training=False)
    values = []
    for record in records:
        if record.logits is None or record.layer.name not in names:
            continue
        _, height, width, concepts = record.logits.shape
        default = default_class_concepts(CLASSES, concepts)
        present = (default if matrix is None else matrix)[label]
        blocks = mask.reshape(SAMPLES, height, SIZE // height, width, SIZE // width)
        small = blocks.mean(axis=(2, 4))[..., None] * present[:, None, None, :]
        knowledge = {"present": present, "mask": small}
        knowledge = {name: knowledge[name] for name in term.needs}
        values.append(np.float64(term(record.logits, **knowledge)))
    assert values
    return np.mean(values, axis=0)


class TracedLoss(KnowledgeLoss):
    """A term that counts how often its Python code runs."""

    def __init__(self, name=None):
        super().__init__(name)
        self.calls = 0

    def call(self, logits):
        self.calls += 1
        return ops.mean(ops.sigmoid(logits), axis=(1, 2, 3))


def call_at(hook, function):
    """A callback that calls `function(model)` at one of its hooks."""

    class CallAt(keras.callbacks.Callback):
        pass

    setattr(CallAt, hook, lambda self, *_, **__: function(self.model))
    return CallAt()


# What is added.

MODES = {
    "eager": ({}, ALLOWED),
    "graph": (GRAPH, ALLOWED),
    "XLA": ({"jit_compile": True}, ALLOWED),
    "mixed_float16": ({"dtype": "mixed_float16"}, layer_tolerance("float16", 4)),
    "mixed_float16 graph": (
        {"dtype": "mixed_float16", **GRAPH},
        layer_tolerance("float16", 4),
    ),
}


@pytest.mark.parametrize("options, allowed", MODES.values(), ids=MODES)
def test_loss_is_the_models_own_plus_weighted_terms(
    x, label, mask, targets, options, allowed
):
    model = make_model(**options)
    terms = [Presence(), MaskSupervision()]
    logs = first(fit(model, x, targets, [KnowledgeInjection(terms, weights=[0.5, 2])]))
    presence, masks = (by_hand(term, model, x, label, mask).mean() for term in terms)
    own = own_losses(model, x, label).mean()
    assert logs.keys() == {"loss", "accuracy", "presence", "mask_supervision"}
    assert_close(logs["presence"], presence, **allowed)
    assert_close(logs["mask_supervision"], masks, **allowed)
    assert_close(logs["loss"], own + 0.5 * presence + 2 * masks, **allowed)
    right = np.argmax(model(x), axis=-1) == label
    assert_close(logs["accuracy"], right.mean(), **allowed)


def test_terms_have_gradients(x, label, mask, targets):
    model = make_model(rate=1.0)
    before = [ops.convert_to_numpy(v) + 0 for v in model.trainable_variables]
    with tf.GradientTape() as tape:
        with score_tape() as records:
            probabilities = model(x, training=True)
        own = keras.losses.sparse_categorical_crossentropy(label, probabilities)
        logits = {record.layer.name: record.logits for record in records}
        area = [ops.mean(ops.sigmoid(logits[name])) for name in ("pool", "head")]
        loss = ops.mean(own) + 3 * (area[0] + area[1]) / 2
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    fit(model, x, targets, [KnowledgeInjection([TracedLoss()], weights=3)])
    for weight, old, gradient in zip(
        model.trainable_variables, before, gradients, strict=True
    ):
        assert_close(weight, old - gradient, **ALLOWED)


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
    names = {"loss", "accuracy", "presence", "masks"}
    assert history.keys() == names | {f"val_{name}" for name in names}
    for term in terms:
        for images, name in ((x, term.name), (other, f"val_{term.name}")):
            expected = by_hand(term, model, images, label, mask).mean()
            assert_close(history[name], [expected] * 2, **ALLOWED)


def test_targets_can_be_split_for_validation(x, targets):
    injection = KnowledgeInjection([MaskSupervision()])
    logs = first(fit(make_model(), x, targets, [injection], validation_split=0.5))
    assert np.isfinite(logs["mask_supervision"])
    assert np.isfinite(logs["val_mask_supervision"])


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


def test_compiled_loss_and_metrics_see_the_label_alone(x, label, targets):
    seen = []

    def loss(y_true, y_pred):
        seen.append(y_true)
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

    def metric(y_true, y_pred):
        seen.append(y_true)
        return ops.mean(y_pred, axis=-1)

    model = make_model(loss=loss, metrics=[metric])
    fit(model, x, targets, [KnowledgeInjection([MaskSupervision()])])
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


def test_all_kinds_of_data_give_the_same(x, targets):
    kinds = [
        tf.data.Dataset.from_tensor_slices((x, targets)).batch(2),
        Sequence(x, targets),
    ]
    injection = KnowledgeInjection([Presence(), MaskSupervision()])
    expected = fit(make_model(rate=0.1), x, targets, [injection], batch_size=2)
    for data in kinds:
        history = fit(make_model(rate=0.1), data, callbacks=[injection])
        assert history == expected


def test_several_steps_per_execution_give_the_same(x, targets):
    histories = [
        fit(
            make_model(rate=0.1, steps_per_execution=steps, **options),
            x,
            targets,
            [KnowledgeInjection([Presence(), MaskSupervision()])],
            batch_size=2,
        )
        for steps, options in ((1, {}), (3, GRAPH))
    ]
    for name in histories[0]:
        assert_close(histories[1][name], histories[0][name], **ALLOWED)


# Which samples count, and how much.


@pytest.mark.parametrize(
    "wrap",
    [lambda flags: flags, lambda flags: {"mask": flags}],
    ids=["for all knowledge", "for masks"],
)
def test_samples_without_a_mask_have_no_influence(x, label, mask, wrap):
    valid = np.array([1, 0, 1, 1, 0, 0])
    results = []
    for content in (mask[valid == 0], 0.0, np.nan, 255.0):
        filled = mask.copy()
        filled[valid == 0] = content
        model = make_model(rate=0.1)
        expected = by_hand(MaskSupervision(), model, x, label, mask)
        own = own_losses(model, x, label).mean()
        targets = {"label": label, "mask": filled, "valid": wrap(valid)}
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


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("kind", ["arrays", "tf.data"])
def test_sample_weights_count_in_every_term(x, label, mask, targets, kind, column):
    weight = np.array([0, 1, 2, 0.5, 0.25, 1], "float32")
    given = weight[:, None] if column else weight
    model = make_model()
    term = MaskSupervision()
    injection = KnowledgeInjection([term], weights=2)
    if kind == "arrays":
        history = fit(model, x, targets, [injection], sample_weight=given)
    else:
        data = tf.data.Dataset.from_tensor_slices((x, targets, given)).batch(SAMPLES)
        history = fit(model, data, callbacks=[injection])
    logs, values = first(history), by_hand(term, model, x, label, mask)
    own = own_losses(model, x, label)
    assert_close(logs["loss"], np.mean(weight * (own + 2 * values)), **ALLOWED)
    expected = np.average(values, weights=weight)
    assert_close(logs["mask_supervision"], expected, **ALLOWED)


def test_class_weights_count_in_every_term(x, label):
    weights = {0: 0.5, 1: 3.0, 2: 0.0}
    as_samples = np.array([weights[k] for k in label])
    results = [
        fit(make_model(rate=0.1), x, label, [KnowledgeInjection([Presence()])], **given)
        for given in ({"class_weight": weights}, {"sample_weight": as_samples})
    ]
    assert results[0] == results[1]


# Which layers, and which concepts.


@pytest.mark.parametrize(
    "names", [["pool"], ["head"], ["head", "pool"], ("pool",), "head"], ids=str
)
def test_layers_restricts_to_the_layers_named(x, label, mask, targets, names):
    model, term = make_model(), MaskSupervision()
    logs = first(fit(model, x, targets, [KnowledgeInjection([term], layers=names)]))
    expected = by_hand(term, model, x, label, mask, names).mean()
    assert_close(logs["mask_supervision"], expected, **ALLOWED)


@pytest.mark.parametrize(
    "matrix, names",
    [
        ([[0, 1, 1], [1, 0, 0], [0, 0, 0]], ["head"]),
        ([[1], [0], [1]], ["pool"]),
    ],
)
def test_class_concepts_say_which_class_has_which(
    x, label, mask, targets, matrix, names
):
    model, terms = make_model(), [Presence(), MaskSupervision()]
    injection = KnowledgeInjection(terms, layers=names, class_concepts=matrix)
    logs = first(fit(model, x, targets, [injection]))
    for term in terms:
        values = by_hand(term, model, x, label, mask, names, np.array(matrix))
        assert_close(logs[term.name], values.mean(), **ALLOWED)


def test_a_single_concept_is_free_of_class_concepts_for_several(x, label, targets):
    matrix = np.eye(CLASSES)[::-1]
    model, term = make_model(), Presence()
    injection = KnowledgeInjection([term], class_concepts=matrix)
    logs = first(fit(model, x, targets, [injection]))
    pool = by_hand(term, model, x, label, targets["mask"], ["pool"])
    head = by_hand(term, model, x, label, targets["mask"], ["head"], matrix)
    assert_close(logs["presence"], (pool + head).mean() / 2, **ALLOWED)


def test_one_output_is_one_class(x, mask):
    label = np.array([0, 1, 1, 0, 0, 1])
    inputs = keras.Input((SIZE, SIZE, 1))
    features = GlobalLAPooling2D(name="head")(
        layers.Conv2D(2, 3, padding="same")(inputs)
    )
    outputs = layers.Dense(1, activation="sigmoid")(features)
    model = compiled(keras.Model(inputs, outputs), loss="binary_crossentropy")
    term = Presence()
    logs = first(fit(model, x, label, [KnowledgeInjection([term])]))
    matrix = np.array([[0], [1]])
    expected = by_hand(term, model, x, label, mask, ["head"], matrix).mean()
    assert_close(logs["presence"], expected, **ALLOWED)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.steps = body()

    def call(self, x):
        for step in self.steps:
            x = step(x)
        return x


def converted():
    """A converted model whose LAP layers are at two depths of nesting."""
    inner = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(4, 3, padding="same"),
            layers.MaxPooling2D(name="pool"),
        ]
    )
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            inner,
            layers.GlobalAveragePooling2D(name="head"),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    return keras_lap.convert(model)


def same_names():
    """Two layers of one name, in two nested models."""
    stages = [
        keras.Sequential([keras.Input(shape), LAPooling2D(2, name="pool")])
        for shape in ((SIZE, SIZE, 1), (SIZE // 2, SIZE // 2, 1))
    ]
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            *stages,
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


class Block(layers.Layer):
    """A layer with a LAP layer inside, which Keras builds by calling it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pool = LAPooling2D(2, name="pool")

    def call(self, x):
        return self.pool(x)


def with_a_block():
    return keras.Sequential([keras.Input((SIZE, SIZE, 1)), Block(), *body()[2:]])


def with_a_layer_without_concepts():
    features = LAPooling2D(2, scores="features", gating=None, name="features")
    return keras.Sequential([keras.Input((SIZE, SIZE, 1)), features, *body()[2:]])


MODELS = {
    "converted, nested": (converted, 2),
    "layers of the same name": (same_names, 2),
    "layers inside a layer": (with_a_block, 2),
    "a layer without concepts": (with_a_layer_without_concepts, 2),
    "subclassed": (Subclassed, 2),
    "not built": (lambda: keras.Sequential(body()), 2),
}


@pytest.mark.parametrize("make, count", MODELS.values(), ids=MODELS)
def test_all_kinds_of_models(x, label, mask, targets, make, count):
    model, term = compiled(make()), MaskSupervision()
    logs = first(fit(model, x, targets, [KnowledgeInjection([term])]))
    assert len(keras_lap.lap_layers(model)) == count
    expected = by_hand(term, model, x, label, mask).mean()
    assert_close(logs["mask_supervision"], expected, **ALLOWED)


def test_works_along_with_an_opening_gate(x, label, mask, targets):
    model, term = compiled(converted()), MaskSupervision()
    injection = KnowledgeInjection([term])
    history = fit(model, x, targets, [GateAnneal(0, 1), injection], epochs=2)
    assert [float(layer.gate.value) for layer in keras_lap.lap_layers(model)] == [1, 1]
    expected = by_hand(term, model, x, label, mask).mean()
    assert_close(history["mask_supervision"][1], expected, **ALLOWED)


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
    injection = KnowledgeInjection([Presence(), MaskSupervision(), traced])
    calls = []
    count = call_at("on_train_batch_end", lambda _: calls.append(traced.calls))
    logs = first(fit(model, data, callbacks=[injection, count]))
    assert np.isfinite(list(logs.values())).all()
    assert len(calls) == 3
    assert calls == [calls[0]] * 3


# Evaluation.


def test_evaluate_takes_the_callback_for_targets_with_knowledge(
    x, label, mask, targets
):
    model, term = make_model(), MaskSupervision()
    before = state(model)
    injection = KnowledgeInjection([term], weights=3)
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


@pytest.mark.parametrize(
    "hook", ["on_train_batch_end", "on_epoch_begin", "on_epoch_end"]
)
def test_others_may_evaluate_during_fit(x, label, mask, targets, hook):
    """With the callback or without it, and the training goes on with knowledge."""
    model, term = make_model(), MaskSupervision()
    injection = KnowledgeInjection([term])
    others = []

    def evaluate(model):
        options = {"batch_size": SAMPLES, "verbose": 0, "return_dict": True}
        others.append(model.evaluate(x, label, **options))
        others.append(model.evaluate(x, targets, callbacks=[injection], **options))

    history = fit(model, x, targets, [call_at(hook, evaluate), injection], epochs=2)
    values = by_hand(term, model, x, label, mask).mean()
    own = own_losses(model, x, label).mean()
    assert_close(history["mask_supervision"], [values] * 2, **ALLOWED)
    assert_close(history["loss"], [own + values] * 2, **ALLOWED)
    assert_close([logs["loss"] for logs in others], [own, own + values] * 2, **ALLOWED)
    assert "mask_supervision" not in others[0]


# Leaving the model as it was.

TOUCHED = ("train_step", "test_step", "compute_loss", "train_function", "test_function")


def state(model):
    """What a step is made of, and what is logged."""
    instance = {name: vars(model).get(name, "of the class") for name in TOUCHED}
    return {**instance, "metrics": list(model.metrics)}


def assert_same_state(before, model):
    after = state(model)
    for name, value in before.items():
        assert not isinstance(after[name], StepFunction)
        # Before its first step a model has no function for it yet.
        assert value is None or after[name] == value, name


def fitted_model(x, label):
    """A model that was trained before, and can be evaluated."""
    model = make_model()
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
        x,
        targets,
        [
            KnowledgeInjection([Presence(), MaskSupervision()]),
            *[call_at(f"on_{hook}", check) for hook in hooks],
        ],
        validation_data=(x, targets),
        batch_size=3,
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


def test_an_error_in_the_data_leaves_the_model_as_it_was(x, label, targets):
    def batches():
        yield x, targets
        raise RuntimeError("on purpose")

    model = fitted_model(x, label)
    before = state(model)
    spec = tf.nest.map_structure(
        lambda value: tf.TensorSpec(value.shape, value.dtype), (x, targets)
    )
    data = tf.data.Dataset.from_generator(batches, output_signature=spec)
    with pytest.raises(tf.errors.OpError, match="on purpose"):
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


def test_an_error_between_hook_and_step_does_not_harm_the_next_fit(x, label, targets):
    model = fitted_model(x, label)
    injection = KnowledgeInjection([MaskSupervision()])
    with pytest.raises(RuntimeError, match="on purpose"):
        fit(model, x, targets, [injection, call_at("on_train_batch_begin", fail)])
    expected = fit(make_model(), x, targets, [KnowledgeInjection([MaskSupervision()])])
    assert fit(model, x, targets, [injection]) == expected
    assert_plain(model, x, label)


@pytest.mark.parametrize("recompile", [False, True])
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
            compiled(model)
        else:
            assert model.evaluate(x, label, verbose=0, return_dict=True).keys() == {
                "loss",
                "accuracy",
            }
        assert_plain(model, x, label)
        assert "make_train_function" not in vars(model)
        if not recompile:
            assert_same_state(before, model)


class TwoPasses(keras.Model):
    """A functional model whose steps look at every image twice."""

    def train_step(self, data):
        self(data[0], training=True)
        return super().train_step(data)


@pytest.mark.parametrize("shared", [False, True])
def test_every_pass_of_a_step_has_its_masks_in_place(x, label, shared):
    x, targets = 30 * x, {"label": label, "mask": np.tri(SIZE)[None].repeat(SAMPLES, 0)}

    def make(kind):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((SIZE, SIZE, 1))
        maps = layers.Conv2D(4, 5, activation="relu")(inputs)
        head = LAPooling2D(2, concepts=CLASSES, name="head")
        maps = layers.Concatenate()([head(maps), head(-maps)]) if shared else head(maps)
        features = layers.GlobalAveragePooling2D()(maps)
        outputs = layers.Dense(CLASSES, activation="softmax")(features)
        return compiled(kind(inputs, outputs))

    once, twice = (
        first(fit(make(kind), x, targets, [KnowledgeInjection([MaskSupervision()])]))
        for kind in (keras.Model, TwoPasses)
    )
    assert_close(twice["mask_supervision"], once["mask_supervision"], **ALLOWED)


def test_weights_of_zero_change_nothing(x, label, targets):
    models = [make_model(rate=0.1, **GRAPH) for _ in range(2)]
    terms = [Presence(), MaskSupervision()]
    injection = KnowledgeInjection(terms, weights=0)
    injected = fit(models[0], x, targets, [injection], batch_size=4, epochs=2)
    plain = fit(models[1], x, label, batch_size=4, epochs=2)
    assert injected["loss"] == plain["loss"]
    for weight, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_fits_with_and_without_the_callback_take_turns(x, label, targets):
    """The same callback twice; each fit as if the others had been of another object."""
    shared = KnowledgeInjection([MaskSupervision()])
    turns = [(targets, [shared]), (label, []), (targets, [shared]), (label, [])]
    model = make_model(rate=0.1)
    for y, callbacks in turns:
        alone = make_model(rate=0.1)
        alone.set_weights(model.get_weights())
        new = [KnowledgeInjection([MaskSupervision()]) for _ in callbacks]
        assert fit(model, x, y, callbacks) == fit(alone, x, y, new)
        for weight, other in zip(model.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, other)


def test_one_callback_serves_several_models(x, targets):
    shared = KnowledgeInjection([MaskSupervision()])
    models = [make_model(), compiled(converted())]
    for model in models * 2:
        new = KnowledgeInjection([MaskSupervision()])
        assert fit(model, x, targets, [shared]) == fit(model, x, targets, [new])


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
    assert np.abs(kernels[0] - make_model().get_layer("conv").kernel).max() > 1e-4
    np.testing.assert_array_equal(kernels[2], kernels[0])


class OldStyle(keras.Sequential):
    """Overrides the loss as was usual before it got an argument `training`."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return 2 * super().compute_loss(x, y, y_pred, sample_weight)


def test_a_models_own_compute_loss_is_kept(x, label, mask, targets):
    model = compiled(OldStyle([keras.Input((SIZE, SIZE, 1)), *body()]))
    term = MaskSupervision()
    logs = first(
        fit(model, x, targets, [KnowledgeInjection([term])], validation_data=(x, label))
    )
    own = 2 * own_losses(model, x, label).mean()
    values = by_hand(term, model, x, label, mask).mean()
    assert_close(logs["loss"], own + values, **ALLOWED)
    assert_close(logs["val_loss"], own, **ALLOWED)


# What is refused.

REFUSED_ARGUMENTS = {
    "no losses": {"losses": []},
    "a class": {"losses": [Presence]},
    "a name": {"losses": ["presence"]},
    "repeated names": {"losses": [MaskSupervision(), MaskSupervision(mode="outside")]},
    "too few weights": {"losses": [Presence(), MaskSupervision()], "weights": [1.0]},
    "too many weights": {"losses": [Presence()], "weights": [1.0, 2.0]},
    "no layers": {"losses": [Presence()], "layers": []},
    "class_concepts of one axis": {"losses": [Presence()], "class_concepts": [0, 1]},
    "class_concepts of other numbers": {
        "losses": [Presence()],
        "class_concepts": [[0.5, 1], [2, 0]],
    },
}


@pytest.mark.parametrize("arguments", REFUSED_ARGUMENTS.values(), ids=REFUSED_ARGUMENTS)
def test_refuses_bad_arguments(arguments):
    with pytest.raises(ValueError, match=r"(?s)Expected.*Received"):
        KnowledgeInjection(**arguments)


def test_refuses_losses_that_need_what_does_not_exist():
    class Boxes(KnowledgeLoss):
        needs = ("boxes",)

    with pytest.raises(ValueError, match=r"(?s)Expected.*'boxes'.*Received.*boxes"):
        KnowledgeInjection([Boxes()])


def test_takes_a_loss_without_a_list():
    loss = Presence()
    assert KnowledgeInjection(loss).losses == [loss]


def sequential(*inner, classes=CLASSES):
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            *inner,
            layers.Flatten(),
            layers.Dense(classes, activation="softmax"),
        ]
    )


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return {"loss": ops.mean(self(data[0]))}


class Unused(Subclassed):
    def call(self, x):
        return self.steps[-1](ops.mean(x, axis=(1, 2)))


def plain_model():
    return keras.Sequential([keras.Input((SIZE, SIZE, 1)), *body()])


def two_outputs():
    inputs = keras.Input((SIZE, SIZE, 1))
    features = GlobalLAPooling2D()(inputs)
    outputs = {name: layers.Dense(2, name=name)(features) for name in ("a", "b")}
    return keras.Model(inputs, outputs)


MASKS = [MaskSupervision()]
REFUSED_FITS = {
    "no LAP layers": (sequential, {"losses": MASKS}, "model with LAP layers"),
    "no LAP layers with scores": (
        lambda: sequential(LAPooling2D(2, scores="features", gating=None)),
        {"losses": MASKS},
        "score concepts.*Received.*score none: .'la_pooling2d",
    ),
    "a loss named like a metric": (
        plain_model,
        {"losses": [Presence(name="accuracy")]},
        "`name=`.*Received.*accuracy",
    ),
    "a loss named like the loss": (
        plain_model,
        {"losses": [Presence(name="loss")]},
        "`name=`.*Received.*loss",
    ),
    "unknown layer": (
        plain_model,
        {"losses": MASKS, "layers": ["haed"]},
        "'haed'.*Did you mean.*head",
    ),
    "concepts that are no classes": (
        lambda: sequential(LAPooling2D(2, concepts=2)),
        {"losses": MASKS},
        "`class_concepts`",
    ),
    "class_concepts of another shape": (
        plain_model,
        {"losses": MASKS, "class_concepts": np.eye(2)},
        r"\(3, 3\).*'head'.*Received",
    ),
    "a step without compute_loss": (
        lambda: OwnStep([keras.Input((SIZE, SIZE, 1)), *body()]),
        {"losses": MASKS},
        "`compute_loss`.*Received.*OwnStep",
    ),
    "LAP layers that are not called": (
        Unused,
        {"losses": MASKS},
        "call its LAP layers.*Received",
    ),
    "two at a time": (plain_model, {"losses": MASKS, "again": True}, "one Knowledge"),
}


@pytest.mark.filterwarnings("ignore:`build..` was called on layer 'unused'")
@pytest.mark.parametrize(
    "make, arguments, message", REFUSED_FITS.values(), ids=REFUSED_FITS
)
def test_refuses_a_model_it_does_not_fit(x, targets, make, arguments, message):
    model = compiled(make())
    before, weights = state(model), model.get_weights()
    arguments = dict(arguments)
    callbacks = [KnowledgeInjection([Presence()])] * arguments.pop("again", False)
    with pytest.raises(ValueError, match=rf"(?s)Expected.*{message}"):
        fit(model, x, targets, [*callbacks, KnowledgeInjection(**arguments)])
    assert_same_state(before, model)
    for weight, old in zip(model.get_weights(), weights, strict=False):
        np.testing.assert_array_equal(weight, old)


def test_refuses_a_model_with_several_outputs(x):
    loss = dict.fromkeys("ab", keras.losses.SparseCategoricalCrossentropy(True))
    model = compiled(two_outputs(), loss=loss, metrics=None)
    label = dict.fromkeys("ab", np.zeros(SAMPLES, int))
    with pytest.raises(ValueError, match=r"(?s)Expected a model with one output"):
        fit(model, x, {"label": label}, [KnowledgeInjection([Presence()])])


def test_refuses_layers_that_pool_no_images(label):
    sequences = keras.Sequential(
        [
            keras.Input((8, 4)),
            keras_lap.LAPooling1D(2, name="pool"),
            keras_lap.GlobalLAPooling1D(concepts=3),
            keras.layers.Dense(3),
        ]
    )
    message = r"(?s)Expected.*two spatial axes.*Received.*'pool': 1"
    with pytest.raises(ValueError, match=message):
        fit(
            compiled(sequences),
            np.zeros((len(label), 8, 4)),
            label,
            [KnowledgeInjection([Presence()])],
        )


REFUSED_TARGETS = {
    "label alone": (lambda y: y["label"], "targets with mask"),
    "no mask": (lambda y: {"label": y["label"]}, "targets with mask"),
    "no label": (lambda y: {"mask": y["mask"]}, "'label'.*Received keys"),
    "unknown key": (lambda y: {**y, "area": y["label"]}, "Received keys.*area"),
    "transposed": (lambda y: {**y, "mask": y["mask"][:, :8]}, "aspect ratio"),
    "flat": (lambda y: {**y, "mask": y["mask"][:, 0]}, r"masks \(N, H, W\)"),
    "other concepts": (
        lambda y: {**y, "mask": np.stack([y["mask"]] * 2, axis=-1)},
        "3 concepts",
    ),
}


@pytest.mark.parametrize(
    "change, message", REFUSED_TARGETS.values(), ids=REFUSED_TARGETS
)
def test_refuses_targets_that_do_not_fit(x, targets, change, message):
    model = make_model(**GRAPH)
    before = state(model)
    with pytest.raises(ValueError, match=rf"(?s)Expected.*{message}"):
        fit(model, x, change(targets), [KnowledgeInjection([MaskSupervision()])])
    assert_same_state(before, model)


# What it is for.


def decoy_problem(rng, count=32):
    """A bright or dark blob at a random place tells the class; so does a corner."""
    label = np.arange(count) % 2
    x = rng.normal(scale=0.1, size=(count, SIZE, SIZE, 1))
    mask = np.zeros((count, SIZE, SIZE))
    for n in range(count):
        top, left = rng.integers(4, SIZE - 4, size=2)
        mask[n, top : top + 4, left : left + 4] = 1
    sign = (2 * label - 1)[:, None, None]
    x[..., 0] += mask * sign
    x[:, :3, :3, 0] += 2 * sign
    return x.astype("float32"), label, mask


def share_in_mask(model, x, label, mask):
    """Mean share of the score of the label's concept that lies in the mask."""
    with score_tape() as records:
        model(x)
    scores = np.array(records[-1].scores)[np.arange(len(x)), ..., label]
    return np.mean(np.sum(scores * mask, axis=(1, 2)) / np.sum(scores, axis=(1, 2)))


def test_masks_move_the_map_onto_the_object(rng):
    x, label, mask = decoy_problem(rng)
    shares = []
    for weight in (0, 1):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 1)),
                layers.Conv2D(8, 5, padding="same", activation="relu"),
                GlobalLAPooling2D(concepts=2),
                layers.Dense(2, activation="softmax"),
            ]
        )
        optimizer = keras.optimizers.Adam(0.05)
        loss = "sparse_categorical_crossentropy"
        model.compile(optimizer, loss, metrics=["accuracy"])
        injection = KnowledgeInjection([MaskSupervision()], weights=weight)
        batch = (x, {"label": label, "mask": mask})
        data = tf.data.Dataset.from_tensors(batch).repeat(10)
        history = fit(model, data, callbacks=[injection], epochs=5)
        assert history["accuracy"][-1] > 0.95
        shares.append(share_in_mask(model, x, label, mask))
    # The masks cover a sixteenth of the images.
    assert shares[0] < 0.2
    assert shares[1] > 0.5
