"""`KnowledgeInjection` in every way people train, against a loop written by hand.

The loop is eager, in float32, and knows nothing of callbacks: it calls the model,
computes the loss and the terms, and hands the gradients to the optimizer.
"""

import contextlib
import itertools
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf
from injection_problem import TracedLoss
from keras import layers, ops
from tolerances import PRECISIONS, assert_close

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.injection.knowledge import default_class_concepts
from keras_lap.layers import score_tape
from keras_lap.losses import (
    AreaPrior,
    Exclusivity,
    FunctionLoss,
    MaskSupervision,
    Presence,
)

SIZE, CLASSES, BATCH = 8, 3, 2
RATE, FACTORS = 0.01, [0.5, 2.0]

# Kinds of models.


def convolution():
    return layers.Conv2D(3, 3, padding="same", activation="relu")


def head(name=None):
    return layers.Dense(CLASSES, activation="softmax", dtype="float32", name=name)


def functional(base=keras.Model):
    inputs = keras.Input((SIZE, SIZE, 1))
    features = GlobalLAPooling2D(concepts=CLASSES, initial_score=0.5)(
        convolution()(inputs)
    )
    return base(inputs, head()(features))


def sequential(base=keras.Sequential):
    pooling = GlobalLAPooling2D(concepts=CLASSES, initial_score=0.5)
    return base([keras.Input((SIZE, SIZE, 1)), convolution(), pooling, head()])


class Block(layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = [
            convolution(),
            GlobalLAPooling2D(concepts=CLASSES, initial_score=0.5),
        ]

    def call(self, x):
        for layer in self.inner:
            x = layer(x)
        return x


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.block, self.head = Block(), head()

    def call(self, x):
        return self.head(self.block(x))


def subclassed(base=Subclassed):
    model = base()
    model(np.zeros((1, SIZE, SIZE, 1), "float32"))
    return model


def several_layers(base=keras.Model):
    inputs = keras.Input((SIZE, SIZE, 1))
    features = LAPooling2D(2, initial_score=0.5)(convolution()(inputs))
    features = GlobalLAPooling2D(concepts=CLASSES, initial_score=0.5)(features)
    return base(inputs, head()(features))


def several_outputs(base=keras.Model):
    inputs = keras.Input((SIZE, SIZE, 1))
    features = GlobalLAPooling2D(concepts=CLASSES, initial_score=0.5)(
        convolution()(inputs)
    )
    return base(inputs, {name: head(name)(features) for name in "ab"})


def own_step(self, data):
    """What people write who want to do the step themselves."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    with tf.GradientTape() as tape:
        y_pred = self(x, training=True)
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
        scaled = self.optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled, self.trainable_variables)
    self.optimizer.apply(gradients, self.trainable_variables)
    return {"batch_loss": loss}


def with_own_step(base):
    return type(f"OwnStep{base.__name__}", (base,), {"train_step": own_step})


# Ways to train them. A column takes part in the table below; every pair of values of
# two columns is met in one row. By default only rows with the first of the steps run,
# in which every value of each other column is met once.

MODELS = (functional, sequential, subclassed, several_layers, several_outputs)
EXECUTIONS = {
    "XLA": {"jit_compile": True},
    "graph": {"jit_compile": False},
    "auto": {"jit_compile": "auto"},
    "eager": {"run_eagerly": True},
    "3 steps per execution": {"jit_compile": False, "steps_per_execution": 3},
}
NUMERICS = {
    "float32": ("float32", {}),
    "float16": ("mixed_float16", {}),
    "bfloat16": ("mixed_bfloat16", {}),
    "accumulation": ("float32", {"gradient_accumulation_steps": 2}),
    "EMA": (
        "float32",
        {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
    ),
}
KNOWN = ("labels", "masks", "some masks", "class weights", "sample weights")
DATA = ("arrays", "tf.data", "generator", "PyDataset", "generator that ends")
STEPS = {
    "validated": (False, True, False),
    "evaluated": (False, False, True),
    "own step": (True, False, False),
    "own step validated": (True, True, False),
    "own step evaluated": (True, False, True),
}
COLUMNS = (MODELS, EXECUTIONS, NUMERICS, KNOWN, DATA, STEPS)


def table():
    """Rows of an orthogonal array: the columns are lines over the field of five."""
    for first, second in itertools.product(range(5), repeat=2):
        places = [first, *((second + slope * first) % 5 for slope in range(5))]
        row = [list(column)[at] for column, at in zip(COLUMNS, places, strict=True)]
        marks = [pytest.mark.thorough] * (places[-1] > 0)
        name = ", ".join([row[0].__name__, *row[1:]])
        yield pytest.param(*row, id=name, marks=marks)


def attributes(logits, concepts):
    """Cross-entropy of every pixel with the image's attributes."""
    values = ops.softplus(logits) - logits * concepts[:, None, None]
    known = ops.cast(concepts >= 0, values.dtype)[:, None, None]
    return ops.mean(values * known, axis=(1, 2, 3))


@contextlib.contextmanager
def dtype_policy(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def make(kind, own=False, policy="float32"):
    """The same model each time, weights included."""
    keras.utils.set_random_seed(1)
    with dtype_policy(policy):
        if not own:
            return kind()
        return kind(with_own_step(kind.__defaults__[0]))


@dataclass
class Problem:
    """Samples with all that is known about them."""

    x: np.ndarray
    label: np.ndarray
    mask: np.ndarray
    concepts: np.ndarray
    valid: np.ndarray
    sample_weight: np.ndarray
    has_outputs: bool
    known: str

    @classmethod
    def draw(cls, samples, kind, known, seed):
        rng = np.random.default_rng(seed)
        has_outputs = kind is several_outputs
        if has_outputs and known.endswith("weights"):
            # Keras has no class weights for several outputs; sample weights for
            # them are the matter of another test.
            known = "masks"
        return cls(
            rng.normal(size=(samples, SIZE, SIZE, 1)).astype("float32"),
            rng.integers(CLASSES, size=samples),
            rng.choice([0.0, 1.0], size=(samples, SIZE, SIZE)).astype("float32"),
            rng.choice([-1, 0, 1], size=(samples, CLASSES)),
            np.arange(samples) % 3 > 0,
            np.linspace(0, 2, samples).astype("float32"),
            has_outputs,
            known,
        )

    @property
    def class_weight(self):
        return {0: 0.5, 1: 2.0, 2: 0.0} if self.known == "class weights" else None

    @property
    def losses(self):
        if self.has_outputs:
            return [Exclusivity(), FunctionLoss(attributes)]
        if self.known in ("labels", "class weights"):
            return [AreaPrior(0.7, 0.9), Exclusivity()]
        return [AreaPrior(0.7, 0.9), MaskSupervision()]

    @property
    def data(self):
        """What `fit` gets: `(x, y)` or `(x, y, sample_weight)`."""
        if self.has_outputs:
            label = dict.fromkeys("ab", self.label)
            return self.x, {"label": label, "concepts": self.concepts}
        if self.known in ("labels", "class weights"):
            return self.x, self.label
        y = {"label": self.label, "mask": self.mask}
        if self.known == "some masks":
            y["valid"] = {"mask": self.valid}
        weights = (self.sample_weight,) if self.known == "sample weights" else ()
        return self.x, y, *weights

    def weights_of(self, loss):
        """How much each sample counts, for the model's own loss too (`None`)."""
        if self.known == "sample weights":
            return self.sample_weight
        if self.class_weight:
            return np.take(list(self.class_weight.values()), self.label)
        if loss is not None and self.known == "some masks" and "mask" in loss.needs:
            return self.valid.astype("float32")
        if loss is not None and "concepts" in loss.needs:
            return np.any(self.concepts >= 0, axis=1).astype("float32")
        return np.ones(len(self.x), "float32")

    def known_by(self, loss, logits, batch):
        """What the loss gets for a layer with these logits."""
        _, height, width, concepts = logits.shape
        present = default_class_concepts(CLASSES, concepts)[self.label[batch]]
        blocks = (len(present), height, SIZE // height, width, SIZE // width)
        mask = self.mask[batch].reshape(blocks).mean(axis=(2, 4))[..., None]
        known = {
            "present": present,
            "mask": mask * present[:, None, None],
            "concepts": self.concepts[batch],
        }
        return {name: known[name] for name in loss.needs}

    def forward(self, model, batch, training):
        """Own loss and terms of each sample of a batch, as tensors."""
        with score_tape() as records:
            predictions = model(self.x[batch], training=training)
        own = sum(
            keras.losses.sparse_categorical_crossentropy(self.label[batch], output)
            for output in keras.tree.flatten(predictions)
        )
        terms = []
        for loss in self.losses:
            values = [
                loss(record.logits, **self.known_by(loss, record.logits, batch))
                for record in records
            ]
            terms.append(sum(values) / len(values))
        return own, terms

    def weighted(self, model, batch, training):
        """The loss that is trained on, and the sums that the logs are made of."""
        own, terms = self.forward(model, batch, training)
        total = ops.mean(own * self.weights_of(None)[batch])
        sums = {}
        for loss, factor, values in zip(self.losses, FACTORS, terms, strict=True):
            weights = self.weights_of(loss)[batch]
            total = total + factor * ops.mean(values * weights)
            sums[loss.name] = [np.sum(values * weights), np.sum(weights)]
        size = len(own)
        sums["loss"] = [size * float(total), size]
        return total, sums

    def batches(self):
        return [slice(at, at + BATCH) for at in range(0, len(self.x), BATCH)]

    def evaluated(self, model):
        return logs_of(self.weighted(model, one, False)[1] for one in self.batches())

    def trained(self, model, optimizer, prefix):
        """One epoch; the loss is that of the last batch if it has a prefix."""
        sums = []
        for batch in self.batches():
            with tf.GradientTape() as tape:
                total, of_batch = self.weighted(model, batch, True)
            gradients = tape.gradient(total, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            sums.append(of_batch)
        logs = logs_of(sums)
        if prefix:
            del logs["loss"]
            logs[f"{prefix}loss"] = float(total)
        return logs


def logs_of(sums):
    sums = list(sums)
    totals = {name: np.sum([one[name] for one in sums], axis=0) for name in sums[0]}
    return {name: total / count for name, (total, count) in totals.items()}


class Batches(keras.utils.PyDataset):
    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def as_fit_takes_it(kind, problem):
    """Arguments of `fit` that bring the data in one of the ways there are."""
    data = problem.data
    if kind == "arrays":
        names = ("x", "y", "sample_weight")
        return {**dict(zip(names, data, strict=False)), "batch_size": BATCH}
    if kind == "tf.data":
        return {"x": tf.data.Dataset.from_tensor_slices(data).batch(BATCH)}
    batches = [
        keras.tree.map_structure(lambda array, batch=batch: array[batch], data)
        for batch in problem.batches()
    ]
    if kind == "PyDataset":
        return {"x": Batches(batches)}
    if kind == "generator":
        endless = (batch for batch in itertools.cycle(batches))
        return {"x": endless, "steps_per_epoch": len(batches)}
    return {"x": (batch for batch in batches)}


def rounding(policy):
    """What a handful of steps adds up to, as a share of the values."""
    return 16 * PRECISIONS[policy.removeprefix("mixed_")].stored


def flat(model):
    return np.concatenate([np.ravel(value) for value in model.get_weights()])


def assert_same_logs(history, logs, allowed):
    assert history.keys() == logs.keys()
    for name, values in logs.items():
        assert_close(history[name], values, rtol=allowed, atol=allowed / 8)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("kind, execution, numerics, known, data, step", list(table()))
def test_trains_as_the_loop_by_hand(kind, execution, numerics, known, data, step):
    policy, options = NUMERICS[numerics]
    own, is_validated, is_evaluated = STEPS[step]
    epochs = 1 if data == "generator that ends" else 2
    if "generator" in data and known == "class weights":
        known = "labels"  # Keras has no class weights for generators.
    # The last batch is smaller, except where it would be compiled for itself.
    samples = 8 if execution == "XLA" else 7
    if data == "generator" and "3 steps" in execution:
        samples = 12  # Of what has no end, Keras takes three batches each time.
    problem = Problem.draw(samples, kind, known, seed=0)
    # Class weights are for training.
    known = known.replace("class weights", "labels")
    other = Problem.draw(4, kind, known, seed=1)

    model = make(kind, own, policy)
    optimizer = used = keras.optimizers.SGD(RATE, **options)
    if policy == "mixed_float16":
        # The usual scale is too large for half precision, which skips steps.
        used = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=64)
    loss = "sparse_categorical_crossentropy"
    if problem.has_outputs:
        loss = dict.fromkeys("ab", loss)
    model.compile(used, loss, **EXECUTIONS[execution])
    injection = KnowledgeInjection(problem.losses, weights=FACTORS)
    history = model.fit(
        **as_fit_takes_it(data, problem),
        class_weight=problem.class_weight,
        validation_data=other.data if is_validated else None,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[injection],
    ).history

    by_hand = make(kind)
    before = flat(by_hand)
    optimizer = keras.optimizers.SGD(RATE, **options)
    optimizer.build(by_hand.trainable_variables)
    logs = []
    for _ in range(epochs):
        logs.append(problem.trained(by_hand, optimizer, "batch_" if own else ""))
        if is_validated:
            evaluated = other.evaluated(by_hand)
            logs[-1] |= {f"val_{name}": value for name, value in evaluated.items()}
    optimizer.finalize_variable_values(by_hand.trainable_variables)
    logs = {name: [epoch[name] for epoch in logs] for name in logs[0]}

    allowed = rounding(policy)
    parts = [name for name in history if name.endswith(("a_loss", "b_loss"))]
    assert len(parts) == problem.has_outputs * 2 * ((not own) + is_validated)
    history = {name: history[name] for name in history if name not in parts}
    assert_same_logs(history, logs, allowed)
    change = np.linalg.norm(flat(by_hand) - before)
    assert change > 0.01
    assert np.linalg.norm(flat(model) - flat(by_hand)) < allowed * change
    if is_evaluated:
        x, y, *weights = other.data
        weights = {"sample_weight": weights[0]} if weights else {}
        options = {"verbose": 0, "return_dict": True, "batch_size": BATCH}
        logs = model.evaluate(x, y, callbacks=[injection], **weights, **options)
        logs = {name: logs[name] for name in logs if name not in ("a_loss", "b_loss")}
        assert_same_logs(logs, other.evaluated(by_hand), allowed)


# Several outputs.


LABEL = np.arange(4) % CLASSES


def fit_outputs(y, outputs=dict, **options):
    """The logs of one step of a model that learns nothing, and what is in them."""
    model = make(several_outputs)
    if outputs is list:
        model = keras.Model(model.input, list(model.output.values()))
    loss = keras.tree.map_structure(
        lambda _: "sparse_categorical_crossentropy", model.output
    )
    model.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=True)
    x = np.random.default_rng(0).normal(size=(4, SIZE, SIZE, 1)).astype("float32")
    with score_tape() as records:
        predictions = keras.tree.flatten(model(x))
    own = [
        keras.losses.sparse_categorical_crossentropy(LABEL, prediction)
        for prediction in predictions
    ]
    injection = KnowledgeInjection(Exclusivity())
    logs = model.fit(x, y, verbose=0, callbacks=[injection], **options).history
    return logs, sum(own), Exclusivity()(records[0].logits)


def test_a_list_of_labels_is_a_label():
    logs, own, term = fit_outputs([LABEL, LABEL], list)
    allowed = rounding("float32")
    assert_close(logs["exclusivity"], [ops.mean(term)], rtol=allowed, atol=0)
    assert_close(logs["loss"], [ops.mean(own + term)], rtol=allowed, atol=0)


def test_labels_by_name_of_the_output_belong_under_label():
    with pytest.raises(ValueError, match=r"(?s)Expected targets.*'label'.*'a', 'b'"):
        fit_outputs({"a": LABEL, "b": LABEL})


def test_sample_weights_count_in_terms_on_several_outputs():
    weights = np.array([0, 1, 2, 0.5], "float32")
    y = {"label": {"a": LABEL, "b": LABEL}}
    logs, own, term = fit_outputs(y, sample_weight=weights)
    allowed, expected = rounding("float32"), np.average(term, weights=weights)
    assert_close(logs["exclusivity"], [expected], rtol=allowed, atol=0)
    assert_close(logs["loss"], [np.mean(weights * (own + term))], allowed, 0)


def outputs_named(*names):
    """A model with outputs of these names, that learns nothing, and images."""
    inputs = keras.Input((SIZE, SIZE, 1))
    pooled = GlobalLAPooling2D(concepts=CLASSES)(inputs)
    model = keras.Model(
        inputs,
        {n: layers.Dense(CLASSES, activation="softmax", name=n)(pooled) for n in names},
    )
    loss = dict.fromkeys(names, "sparse_categorical_crossentropy")
    model.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=True)
    return model, np.ones((4, SIZE, SIZE, 1), "float32")


def test_sample_weights_are_of_the_output_that_is_called_label():
    model, x = outputs_named("label", "other")
    y, weights = {"label": LABEL, "other": LABEL}, {"label": 1, "other": 0}
    weights = {name: np.full(4, weight, "float32") for name, weight in weights.items()}
    by_hand = model.train_on_batch(x, y, weights, return_dict=True)
    data = tf.data.Dataset.from_tensors((x, {"label": y}, weights))
    injection = KnowledgeInjection(Exclusivity(), weights=0)
    logs = model.fit(data, shuffle=False, verbose=0, callbacks=[injection]).history
    assert_close(logs["loss"], [by_hand["loss"]], 1e-6, 0)


def test_targets_with_the_names_of_outputs_belong_under_label():
    model, x = outputs_named("label", "mask")
    with pytest.raises(ValueError, match=r'(?s)under.*{"label": ..., "mask": ...}'):
        y = {"label": LABEL, "mask": np.zeros((4, SIZE, SIZE))}
        model.fit(x, y, verbose=0, callbacks=[KnowledgeInjection(Exclusivity())])


def test_sample_weights_do_not_hide_what_is_wrong_with_the_targets():
    with pytest.raises(ValueError, match="Expected targets"):
        fit_outputs({"a": LABEL, "b": LABEL}, sample_weight=np.ones(4))


# Weights of zero.


def with_random_layers():
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            convolution(),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            GlobalLAPooling2D(concepts=CLASSES),
            head(),
        ]
    )


UNCHANGED = {
    "eager": ("float32", {"run_eagerly": True}),
    "mixed_float16": pytest.param(
        "mixed_float16", {"jit_compile": False}, marks=pytest.mark.thorough
    ),
    "graph": pytest.param(
        "float32", {"jit_compile": False}, marks=pytest.mark.thorough
    ),
    "XLA": pytest.param("float32", {"jit_compile": True}, marks=pytest.mark.thorough),
}


@pytest.mark.parametrize("policy, options", UNCHANGED.values(), ids=UNCHANGED)
def test_weights_of_zero_change_nothing(policy, options):
    """Neither dropout nor batch statistics, neither the order nor the loss scale."""
    rng = np.random.default_rng(0)
    # The last batch is smaller, except where it would be traced for itself.
    samples = 7 if "run_eagerly" in options else 8
    x = rng.normal(size=(samples, SIZE, SIZE, 1)).astype("float32")
    label = np.arange(samples) % CLASSES
    targets = {"label": label, "mask": np.ones((samples, SIZE, SIZE))}
    terms = [Presence(), MaskSupervision()]
    injection = KnowledgeInjection(terms, weights=0, warmup=[0, 2])
    results = []
    for y, callbacks in ((label, []), (targets, [injection])):
        model = make(with_random_layers, policy=policy)
        model.compile("adam", "sparse_categorical_crossentropy", **options)
        fitting = {"batch_size": 4, "epochs": 3, "verbose": 0, "callbacks": callbacks}
        loss = model.fit(x, y, shuffle=True, **fitting).history["loss"]
        results.append([loss, *model.get_weights(), *model.optimizer.variables])
    for plain, injected in zip(*results, strict=True):
        assert_close(injected, plain, rtol=0, atol=0)


# Tracing.


@pytest.mark.parametrize(
    "data, steps",
    [pytest.param("generator", 1, marks=pytest.mark.thorough), ("PyDataset", 3)],
)
def test_traces_less_than_keras_does(data, steps):
    """Over three epochs of training and validation with a smaller last batch.

    Keras makes variables of the optimizer and of metrics while it traces, and so twice.
    """
    problem = Problem.draw(7, functional, "masks", seed=0)
    traced, counts = TracedLoss(), []

    def loss(y_true, y_pred):
        counts[-1] += 1
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

    for known, callbacks in (
        ("labels", []),
        ("masks", [KnowledgeInjection([*problem.losses, traced])]),
    ):
        problem.known = known
        counts.append(0)
        model = make(functional)
        model.compile(
            "adam",
            loss,
            metrics=["accuracy"],
            jit_compile=False,
            steps_per_execution=steps,
        )
        model.fit(
            **as_fit_takes_it(data, problem),
            validation_data=problem.data,
            validation_batch_size=BATCH,
            epochs=3,
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
    assert 0 < counts[1] < counts[0]
    assert traced.calls < counts[0]
    if steps == 1:
        # One in training, and one in validation.
        assert traced.calls == 2
