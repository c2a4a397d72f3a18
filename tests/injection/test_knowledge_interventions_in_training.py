"""Training on images changed by their own maps: `Necessity` and `Sufficiency`."""

import warnings

import keras
import numpy as np
import pytest
from backend_limits import compiled_steps, float64_products
from injection_problem import CLASSES, SAMPLES, SIZE, compiled, first, fit, make_model
from intervention_oracles import map_by_hand, term
from keras import layers, ops
from numeric_gradients import STEP
from step_options import GRAPH
from tolerances import assert_close

from keras_lap import GlobalLAPooling2D, LAPooling2D, explain
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.injection.losses.gaussian_blur import gaussian_blur
from keras_lap.injection.places.even_cells import even_cells
from keras_lap.injection.places.label_map import label_map
from keras_lap.injection.step import forward_pass
from keras_lap.layers import score_tape
from keras_lap.losses import (
    AreaPrior,
    Necessity,
    Presence,
    RightReasons,
    Sufficiency,
)

pytest_plugins = ["injection_problem"]
both = pytest.mark.parametrize("kind", [Necessity, Sufficiency])
both_outputs = pytest.mark.parametrize("outputs", ["softmax", "sigmoid"])


HEIGHT, WIDTH = 6, 8


def float64_model(outputs="softmax"):
    """A model of two LAP layers whose every layer computes in float64."""
    options = {"dtype": "float64"}
    model = keras.Sequential(
        [
            keras.Input((HEIGHT, WIDTH, 2), dtype="float64"),
            layers.Conv2D(3, 3, activation="tanh", **options),
            LAPooling2D(2, concepts=1, **options),
            layers.BatchNormalization(**options),
            layers.Dropout(0.5, **options),
            GlobalLAPooling2D(concepts=CLASSES, **options),
            layers.Dense(CLASSES, activation=outputs, **options),
        ]
    )
    rng = np.random.default_rng(10)
    model.set_weights(
        [np.abs(rng.normal(size=w.shape)) + 0.1 for w in model.get_weights()]
    )
    return model


def changed_images(kind, model, x, present, blur):
    """By the maps of `explain`, in NumPy."""
    maps = explain(model, x, combine="product").maps
    maps = np.max(np.where(present[:, None, None] > 0, maps, 0), -1, keepdims=True)
    kept = np.float64(maps if kind is Sufficiency else 1 - maps)
    return kept * x + (1 - kept) * ops.convert_to_numpy(gaussian_blur(x, blur))


@pytest.fixture
def small(rng):
    return rng.normal(size=(3, HEIGHT, WIDTH, 2)), np.arange(3) % CLASSES


@both
@both_outputs
@pytest.mark.torch_suffices
def test_is_about_the_changed_images(small, kind, outputs):
    """By `explain` and the model alone; on one label and on several."""
    x, label = small
    model = float64_model(outputs)
    present, loss = np.eye(CLASSES)[label], "sparse_categorical_crossentropy"
    if outputs == "sigmoid":
        present = np.array([[0, 0, 1], [0, 0, 0], [0, 1, 0]])
        label, loss = present, "binary_crossentropy"
    changed = changed_images(kind, model, x, present, 0.4)
    probabilities = ops.convert_to_numpy(model(changed, training=False))
    logits = np.log(probabilities)
    if outputs == "sigmoid":
        logits = logits - np.log(1 - probabilities)
    expected = term(kind, logits, present, outputs)
    assert np.max(expected) > 0.01
    compiled(model, loss=loss)
    injection = KnowledgeInjection(kind(outputs, blur=0.4))
    logs = model.evaluate(x, label, verbose=0, callbacks=[injection], return_dict=True)
    named = expected[present.any(axis=1)].mean()
    assert_close(logs[injection.losses[0].name], named, 1e-5, 1e-6)


BINARY = ["bce", keras.losses.BinaryCrossentropy(), keras.losses.binary_crossentropy]


@pytest.mark.parametrize("kind", [Necessity, RightReasons])
@pytest.mark.parametrize("loss", BINARY, ids=lambda loss: type(loss).__name__)
@pytest.mark.torch_suffices
def test_warns_of_independent_classes_taken_for_exclusive_ones(kind, loss):
    model = float64_model("sigmoid")
    with pytest.warns(UserWarning, match=r'exclude each other.*outputs="sigmoid"'):
        KnowledgeInjection(kind()).set_model(compiled(model, loss=loss))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        KnowledgeInjection(kind("sigmoid")).set_model(model)
        KnowledgeInjection(kind()).set_model(compiled(float64_model("softmax")))


def even_model():
    """Maps that divide the image evenly, and scores without chance or statistics."""
    options = {"dtype": "float64"}
    model = keras.Sequential(
        [
            keras.Input((HEIGHT, WIDTH, 2), dtype="float64"),
            layers.Conv2D(3, 3, padding="same", activation="tanh", **options),
            LAPooling2D(2, concepts=1, **options),
            GlobalLAPooling2D(concepts=CLASSES, **options),
            layers.Dense(CLASSES, activation="softmax", **options),
        ]
    )
    rng = np.random.default_rng(10)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def value_by_hand(kind, model, x, present, blur):
    """All in float64."""
    with score_tape() as records:
        model(x)
    given = [
        (
            ops.convert_to_numpy(record.logits),
            even_cells(record.logits.shape[1:3]),
            present if record.layer.concepts > 1 else ONES,
        )
        for record in records
    ]
    maps = map_by_hand(given, (HEIGHT, WIDTH))[0][..., None]
    kept = maps if kind is Sufficiency else 1 - maps
    changed = kept * x + (1 - kept) * ops.convert_to_numpy(gaussian_blur(x, blur))
    logits = np.log(ops.convert_to_numpy(model(changed)))
    return term(kind, logits, present, "softmax").mean()


ONES = np.ones((3, 1))


@float64_products
@both
def test_training_follows_the_derivative_through_map_and_network(small, kind, rng):
    x, label = small
    present, blur = np.eye(CLASSES)[label], 0.4
    before = even_model().get_weights()
    after = []
    for weight in (0, 0.5):
        model = compiled(even_model(), rate=1.0)
        injection = KnowledgeInjection(kind(blur=blur), weights=weight)
        logs = first(fit(model, x, label, [injection], batch_size=3))
        after.append(model.get_weights())
    model = even_model()
    expected = value_by_hand(kind, model, x, present, blur)
    assert_close(logs[injection.losses[0].name], expected, 1e-5, 0)
    for i, (own, both_terms) in enumerate(zip(*after, strict=True)):
        direction = rng.normal(size=own.shape)

        def along(step, i=i, direction=direction):
            shifted = before[i] + step * direction
            model.set_weights([*before[:i], shifted, *before[i + 1 :]])
            return value_by_hand(kind, model, x, present, blur)

        slope = (along(STEP) - along(-STEP)) / (2 * STEP)
        assert abs(slope) > 1e-4 * expected
        moved = np.sum((own - both_terms) * direction)
        assert_close(moved, 0.5 * slope, 1e-4, 1e-6 * expected)


def histories(x, label, makes, **options):
    """Of two epochs of training with both losses, per model and its options."""
    found = []
    for make, compile_options in makes:
        keras.utils.set_random_seed(0)
        model = compiled(make(), rate=0.1, **compile_options)
        losses = [Necessity(), Sufficiency(), AreaPrior(max_area=0.1)]
        injection = KnowledgeInjection(losses, weights=[0.1, 1, 1])
        found.append(fit(model, x, label, [injection], epochs=2, **options))
    return found


def plain(shape=(SIZE, SIZE, 1), dtype=None):
    return lambda: keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(4, 3, padding="same", activation="relu", dtype=dtype),
            LAPooling2D(2, concepts=1, dtype=dtype),
            GlobalLAPooling2D(concepts=CLASSES, initial_score=0.5, dtype=dtype),
            layers.Dense(CLASSES, activation="softmax", dtype="float32"),
        ]
    )


ALIKE = {
    "graph": (plain(), GRAPH, 1e-5),
    "XLA": (plain(), {"jit_compile": True}, 1e-5),
    "sizes unknown": (plain((None, None, 1)), GRAPH, 1e-5),
    "mixed_float16": (plain(dtype="mixed_float16"), GRAPH, 0.02),
}


@pytest.fixture(scope="module")
def eager_history():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SAMPLES, SIZE, SIZE, 1)).astype("float32")
    label = np.arange(SAMPLES) % CLASSES
    return x, label, histories(x, label, [(plain(), {})], batch_size=SAMPLES)[0]


@compiled_steps
@pytest.mark.parametrize("make, options, allowed", ALIKE.values(), ids=ALIKE)
@pytest.mark.one_in(2)
def test_trains_alike_however_it_runs(eager_history, make, options, allowed):
    x, label, expected = eager_history
    (history,) = histories(x, label, [(make, options)], batch_size=SAMPLES)
    for name in ("necessity", "sufficiency", "loss"):
        assert expected[name][1] != expected[name][0]
        assert_close(history[name], expected[name], allowed, allowed)


@pytest.mark.torch_suffices
def test_channels_first_images_are_turned_around(x, label):
    def make(images_first, maps_first):
        inputs = keras.Input((1, SIZE, SIZE) if images_first else (SIZE, SIZE, 1))
        y = layers.Permute((2, 3, 1))(inputs) if images_first else inputs
        y = layers.Conv2D(4, 3, activation="relu")(y)
        y = layers.Permute((3, 1, 2))(y) if maps_first else y
        data_format = "channels_first" if maps_first else "channels_last"
        y = GlobalLAPooling2D(concepts=CLASSES, data_format=data_format)(y)
        return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(y))

    builds = [(lambda: make(False, False), {}), (lambda: make(False, True), {})]
    last, inside = histories(x, label, builds, batch_size=6)
    builds = [(lambda: make(True, True), {})]
    (turned,) = histories(np.moveaxis(x, -1, 1), label, builds, batch_size=6)
    for name in ("necessity", "sufficiency"):
        assert_close(inside[name], last[name], 1e-2, 1e-3)
        assert_close(turned[name], last[name], 1e-2, 1e-3)


def one_class():
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            GlobalLAPooling2D(concepts=1, initial_score=0.5),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


@both
@pytest.mark.torch_suffices
@pytest.mark.filterwarnings("ignore:The terms")
def test_a_label_that_names_nothing_is_left_out(x, kind):
    terms = []
    for label in (np.zeros(SAMPLES), np.arange(SAMPLES) < 3, np.ones(SAMPLES)):
        model = compiled(one_class(), loss="binary_crossentropy")
        model.set_weights([np.ones(w.shape) for w in model.get_weights()])
        injection = KnowledgeInjection(kind("sigmoid"))
        # All the same, so that labels make the only difference.
        images, label = x[:1].repeat(SAMPLES, 0), label.astype("float32")
        logs = first(fit(model, images, label, [injection]))
        assert np.isfinite(model.get_weights()[0]).all()
        terms.append(logs[injection.losses[0].name])
    none, some, every = terms
    assert np.isnan(none) and every > 0
    assert_close(some, every, 1e-6, 0)


@both
@pytest.mark.torch_suffices
@pytest.mark.filterwarnings("ignore:The terms")
def test_a_class_without_a_concept_is_left_out(x, kind):
    concepts = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    terms = []
    for of in ([2] * 6, [0, 1, 2, 0, 1, 2], [0, 1] * 3):
        keras.utils.set_random_seed(1)
        model = compiled(plain()())
        injection = KnowledgeInjection(
            kind(), layers=model.layers[2].name, class_concepts=concepts
        )
        # All the same, so that labels make the only difference.
        logs = first(fit(model, x[:1].repeat(6, 0), np.array(of), [injection]))
        terms.append(logs[injection.losses[0].name])
    none, some, every = terms
    assert np.isnan(none) and every > 0
    assert_close(some, every, 1e-6, 0)


@pytest.mark.torch_suffices
def test_logits_are_noticed_by_the_compiled_loss(x, targets):
    """Unless the knowledge losses are told."""
    terms = []
    for told in (None, True, False):
        model = make_model(loss=keras.losses.SparseCategoricalCrossentropy(True))
        model.layers[-1].activation = keras.activations.linear
        kinds = (Necessity, Sufficiency, RightReasons)
        injection = KnowledgeInjection([kind(from_logits=told) for kind in kinds])
        logs = first(fit(model, x, targets, [injection]))
        terms.append([logs[loss.name] for loss in injection.losses])
    assert terms[0] == terms[1]
    assert all(noticed != ignored for noticed, ignored in zip(*terms[1:], strict=True))


@both
@pytest.mark.torch_suffices
def test_sample_weights_count(x, label, kind):
    terms = []
    for some, weights in (([0, 1, 2], [1.0, 0, 3]), ([0], [1.0]), ([2], [1.0])):
        injection = KnowledgeInjection(kind())
        options = {"sample_weight": np.array(weights)}
        logs = fit(make_model(), x[some], label[some], [injection], **options)
        terms.append(logs[injection.losses[0].name][0])
    weighted, one, other = terms
    assert one != other
    assert_close(weighted, (one + 3 * other) / 4, 1e-5, 0)


@pytest.mark.torch_suffices
def test_knowledge_that_is_not_valid_does_not_matter(x, targets):
    """The label is all that these losses need."""
    logs = []
    for y in (targets, {**targets, "valid": np.zeros(SAMPLES)}):
        injection = KnowledgeInjection([Necessity(), Sufficiency()])
        logs.append(first(fit(make_model(), x, y, [injection])))
    assert logs[0] == logs[1]


def test_losses_share_one_map_and_add_one_pass_each(x, label, monkeypatch):
    tf = pytest.importorskip("tensorflow", reason="tells real passes by eager mode")
    maps, passes = [], []
    monkeypatch.setattr(
        forward_pass, "label_map", lambda *args: maps.append(1) or label_map(*args)
    )

    class Counted(layers.Layer):
        def call(self, x, training=None):
            if tf.executing_eagerly():
                passes.append(bool(training))
            return x

    model = compiled(
        keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 1)),
                Counted(),
                GlobalLAPooling2D(concepts=CLASSES),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )
    )
    losses = [Necessity(), Sufficiency(), Sufficiency(blur=1, name="mean_colour")]
    passes.clear()
    logs = first(fit(model, x, label, [KnowledgeInjection(losses)]))
    assert len(maps) == 1
    assert passes == [True, False, False, False]
    assert logs["sufficiency"] != logs["mean_colour"]


@pytest.mark.torch_suffices
def test_other_passes_move_no_statistics_and_are_not_supervised(x, label):
    weights, terms = [], []
    for losses in ([], [Necessity(), Sufficiency()]):
        keras.utils.set_random_seed(0)
        model = compiled(
            keras.Sequential(
                [
                    keras.Input((SIZE, SIZE, 1)),
                    layers.BatchNormalization(),
                    LAPooling2D(2, hidden=4, concepts=CLASSES, name="pool"),
                    GlobalLAPooling2D(concepts=CLASSES, name="head"),
                    layers.Dense(CLASSES, activation="softmax"),
                ]
            )
        )
        injection = KnowledgeInjection([*losses, Presence()])
        terms.append(first(fit(model, x, label, [injection]))["presence"])
        weights.append(model.get_weights())
    assert terms[0] == terms[1]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_trains_along_with_right_reasons(x, targets):
    """Which takes second derivatives in the same step."""
    model = compiled(plain()(), rate=0.1, **GRAPH)
    losses = [RightReasons(), Necessity(), Sufficiency()]
    injection = KnowledgeInjection(losses, weights=[1, 0.1, 1])
    history = fit(model, x, targets, [injection], epochs=3)
    assert np.isfinite(history["loss"]).all()
    assert history["loss"][2] < history["loss"][0]
    assert min(history["right_reasons"]) > 0


# What is refused.


def of_integers():
    inputs = keras.Input((SIZE, SIZE, 1), dtype="uint8")
    y = GlobalLAPooling2D(concepts=1)(ops.cast(inputs, "float32"))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(y))


def of_two():
    inputs = {name: keras.Input((SIZE, SIZE, 1), name=name) for name in "ab"}
    y = GlobalLAPooling2D(concepts=1)(inputs["a"] + inputs["b"])
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(y))


REFUSED = {
    "integers": (of_integers, lambda x: x.astype("uint8"), "float dtype", {}),
    "two inputs": (of_two, lambda x: {"a": x, "b": x}, "single input", {}),
    "a single class": (
        one_class,
        lambda x: x,
        'outputs="sigmoid"',
        {"loss": "binary_crossentropy"},
    ),
}


@pytest.mark.parametrize(
    "make, change, pattern, options", REFUSED.values(), ids=REFUSED
)
@pytest.mark.torch_suffices
def test_refuses_models_that_it_cannot_ask(x, make, change, pattern, options):
    model = compiled(make(), **options)
    with pytest.raises(ValueError, match=rf"(?s)Expected.*{pattern}.*Received"):
        fit(model, change(x), np.ones(SAMPLES), [KnowledgeInjection(Sufficiency())])
