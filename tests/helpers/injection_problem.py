"""A small problem, and models on it, for the tests of `KnowledgeInjection`."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from step_options import CHEAP
from tolerances import tolerance

import keras_lap
from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.injection.knowledge import default_class_concepts
from keras_lap.injection.step.step_function import StepFunction
from keras_lap.layers import score_tape
from keras_lap.losses import KnowledgeLoss

SAMPLES, SIZE, CLASSES = 6, 16, 3
ALLOWED = tolerance("float32", SIZE**2, 10)


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
    """The model, compiled, learning nothing, its step cheap unless told otherwise."""
    if not {"jit_compile", "run_eagerly"} & options.keys():
        options |= CHEAP
    options.setdefault("loss", "sparse_categorical_crossentropy")
    model.compile(keras.optimizers.SGD(rate), **options)
    return model


def make_model(rate=0.0, dtype=None, **options):
    """The same model each time, weights included."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), *body(dtype)])
    return compiled(model, rate, **options)


def scored(model):
    """Gives the score heads weights that make something of the images."""
    rng = np.random.default_rng(1)
    for layer in model.layers[1:-1]:
        layer.head.set_weights(
            [rng.normal(scale=2, size=w.shape) for w in layer.head.get_weights()]
        )
    return model


def fit(model, x, y=None, callbacks=(), **options):
    options = {"shuffle": False, "verbose": 0, **options}
    if y is not None:
        options.setdefault("batch_size", SAMPLES)
    return model.fit(x, y, callbacks=list(callbacks), **options).history


def repeated(times, *data):
    """The samples as often: JAX would compile each step anew for smaller batches."""
    return keras.tree.map_structure(lambda one: np.concatenate([one] * times), data)


def fit_steps(model, x, y, steps, callbacks=()):
    """As many steps on all there is, as one epoch: those take longer than steps."""
    return fit(model, *repeated(steps, x, y), callbacks, batch_size=len(x))


def first(history):
    """Values of the first epoch."""
    return {name: values[0] for name, values in history.items()}


def as_float64(tensor):
    return np.float64(ops.convert_to_numpy(tensor))


def own_losses(model, x, label):
    """Cross-entropy of each sample."""
    probabilities = as_float64(model(x, training=False))
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
        values.append(as_float64(term(record.logits, **knowledge)))
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
