"""`KnowledgeInjection` in all kinds of models, on any of their layers and concepts."""

import warnings

import keras
import numpy as np
import pytest
from injection_problem import (
    ALLOWED,
    CLASSES,
    SAMPLES,
    SIZE,
    Subclassed,
    body,
    by_hand,
    compiled,
    converted,
    first,
    fit,
    make_model,
    own_losses,
)
from keras import layers
from step_options import GRAPH
from tolerances import assert_close

import keras_lap
from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.callbacks import GateAnneal, KnowledgeInjection
from keras_lap.losses import MaskSupervision, Necessity, Presence, RightReasons

pytest_plugins = ["injection_problem"]
pytestmark = pytest.mark.torch_suffices

# Which layers, and which concepts.


@pytest.mark.parametrize(
    "names", [["pool"], ["head", "pool"], ("pool",), "head"], ids=str
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
        ([1, 0, 1], ["head"]),
    ],
)
def test_class_concepts_say_which_class_has_which(
    x, label, mask, targets, matrix, names
):
    model, terms = make_model(), [Presence(), MaskSupervision()]
    injection = KnowledgeInjection(terms, layers=names, class_concepts=matrix)
    logs = first(fit(model, x, targets, [injection]))
    if np.ndim(matrix) == 1:
        matrix = np.eye(CLASSES)[matrix]
    for term in terms:
        values = by_hand(term, model, x, label, mask, names, np.array(matrix))
        assert_close(logs[term.name], values.mean(), **ALLOWED)


@pytest.mark.parametrize("empty", [None, 1])
def test_a_single_concept_is_there_with_any_of_several(x, label, targets, empty):
    """So it is not in a class that has none, such as that of healthy tissue."""
    matrix = np.eye(CLASSES)[::-1].copy()
    if empty is not None:
        matrix[empty] = 0
    model, term = make_model(), Presence()
    injection = KnowledgeInjection([term], class_concepts=matrix)
    logs = first(fit(model, x, targets, [injection]))
    some = matrix.max(axis=1, keepdims=True)
    pool = by_hand(term, model, x, label, targets["mask"], ["pool"], some)
    head = by_hand(term, model, x, label, targets["mask"], ["head"], matrix)
    assert_close(logs["presence"], (pool + head).mean() / 2, **ALLOWED)


FORMS = {
    "as it is": lambda output: output,
    "without an axis": layers.Reshape(()),
    "in a dict": lambda output: {"p": output},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_one_output_is_one_class(x, mask, form):
    label = np.array([0, 1, 1, 0, 0, 1])
    inputs = keras.Input((SIZE, SIZE, 1))
    features = GlobalLAPooling2D(name="head")(
        layers.Conv2D(2, 3, padding="same")(inputs)
    )
    outputs = layers.Dense(1, activation="sigmoid")(features)
    model = keras.Model(inputs, form(outputs))
    compiled(model, loss="binary_crossentropy", metrics=[])
    y = {"label": {"p": label} if isinstance(model.output, dict) else label}
    term = Presence()
    logs = first(fit(model, x, y, [KnowledgeInjection([term])]))
    matrix = np.array([[0], [1]])
    expected = by_hand(term, model, x, label, mask, ["head"], matrix).mean()
    assert_close(logs["presence"], expected, **ALLOWED)


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


def test_a_path_tells_layers_of_one_name_apart(x, label, mask, targets):
    model, term = compiled(same_names()), MaskSupervision()
    first_stage, second_stage = (stage.name for stage in model.layers[:2])
    values = {}
    for names in ("pool", [f"{first_stage}/pool"], [f"{second_stage}/pool"]):
        injection = KnowledgeInjection([term], layers=names)
        values[str(names)] = first(fit(model, x, targets, [injection]))[term.name]
    together, one, other = values.values()
    assert one != other
    assert_close(together, (one + other) / 2, **ALLOWED)
    with pytest.raises(ValueError, match=rf"Did you mean.*{second_stage}/pool"):
        fit(model, x, targets, [KnowledgeInjection([term], layers="stage/pool")])


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
    "not built": pytest.param(
        lambda: keras.Sequential(body()), 2, marks=pytest.mark.tensorflow_too
    ),
}


@pytest.mark.parametrize("make, count", MODELS.values(), ids=MODELS)
@pytest.mark.one_in(2)
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


class WithASpare(Subclassed):
    """Has a LAP layer that it never calls, nor builds."""

    def __init__(self):
        super().__init__()
        self.spare = GlobalLAPooling2D(base="avg")


@pytest.mark.filterwarnings("ignore:`build..` was called on layer")
def test_a_layer_that_is_never_called_has_no_gate_to_warn_of(x, targets):
    model = compiled(WithASpare())
    fit(model, x, targets, [KnowledgeInjection([MaskSupervision()])], epochs=2)
    assert model.spare.gate is None


class TwoPasses(keras.Model):
    """A functional model whose steps look at every image twice."""

    def train_step(self, *arguments):
        *state, (x, _) = arguments
        if state:
            self.stateless_call(*state[0][:2], x, training=True)
        else:
            self(x, training=True)
        return super().train_step(*arguments)


class AsksATeacher(keras.Model):
    """A functional model whose steps look at what another network makes of images."""

    teachers = ()

    def train_step(self, *arguments):
        *_, (x, _) = arguments
        for teacher in self.teachers:
            teacher(x)
        return super().train_step(*arguments)


@pytest.mark.parametrize("kind", [TwoPasses, AsksATeacher])
@pytest.mark.parametrize("shared", [False, True])
def test_every_pass_of_a_step_has_its_masks_in_place(
    x, label, shared, kind, monkeypatch
):
    x, mask = 30 * x, np.zeros((SAMPLES, SIZE, SIZE))
    mask[..., :4] = 1
    targets = {"label": label, "mask": mask}

    def make(kind):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((SIZE, SIZE, 1))
        maps = layers.Conv2D(4, 5, activation="relu")(inputs)
        head = LAPooling2D(2, concepts=CLASSES, name="head")
        maps = layers.Concatenate()([head(maps), head(-maps)]) if shared else head(maps)
        features = layers.GlobalAveragePooling2D()(maps)
        outputs = layers.Dense(CLASSES, activation="softmax")(features)
        return compiled(kind(inputs, outputs))

    monkeypatch.setattr(AsksATeacher, "teachers", [make(keras.Model)])
    once, twice = (
        first(fit(make(each), x, targets, [KnowledgeInjection([MaskSupervision()])]))
        for each in (keras.Model, kind)
    )
    assert_close(twice["mask_supervision"], once["mask_supervision"], **ALLOWED)


def siamese(see_other):
    """A backbone that is called twice, on two images or on one, all and in part."""
    shape = (SIZE, SIZE, 1)
    backbone = keras.Sequential(
        [keras.Input(shape), LAPooling2D(2, name="pool"), GlobalLAPooling2D()]
    )
    image, other = keras.Input(shape), keras.Input(shape)
    seen = other if see_other else image * other
    features = [backbone(image), backbone(seen), layers.Flatten()(other)]
    outputs = layers.Dense(CLASSES, activation="softmax")
    return keras.Model([image, other], outputs(layers.Concatenate()(features)))


@pytest.mark.parametrize("see_other", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_warns_of_places_in_layers_that_see_several_images(
    x, targets, see_other, nested
):
    model = siamese(see_other)
    if nested:
        inputs = [keras.Input((SIZE, SIZE, 1)) for _ in range(2)]
        model = keras.Model(inputs, model(inputs))
    compiled(model)
    caught = []
    for terms, names in (
        ([Presence()], None),
        ([MaskSupervision()], ["pool"]),
    ):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            fit(model, [x, x], targets, [KnowledgeInjection(terms, layers=names)])
        caught.append([w for w in found if "several images" in str(w.message)])
    without_places, with_places = caught
    assert without_places == []
    assert len(with_places) == see_other
    assert all("['pool']" in str(w.message) for w in with_places)


def own_step_on_tensorflow(model, data):
    import tensorflow as tf

    x, y = data
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    model.optimizer.apply(gradients, model.trainable_variables)
    return {"batch_loss": loss}


def own_step_on_torch(model, data):
    x, y = data
    model.zero_grad()
    loss = model.compute_loss(x, y, model(x, training=True))
    loss.backward()
    gradients = [variable.value.grad for variable in model.trainable_weights]
    model.optimizer.apply(gradients, model.trainable_weights)
    return {"batch_loss": loss}


def own_step_on_jax(model, state, data):
    """One that takes `compute_loss` out of all scopes, as Keras' guide does."""
    import jax

    (trainable, others, optimizer, metrics), (x, y) = state, data

    def loss_of(trainable):
        y_pred, _ = model.stateless_call(trainable, others, x, training=True)
        return model.compute_loss(x, y, y_pred)

    loss, gradients = jax.value_and_grad(loss_of)(trainable)
    trainable, optimizer = model.optimizer.stateless_apply(
        optimizer, gradients, trainable
    )
    return {"batch_loss": loss}, (trainable, others, optimizer, metrics)


class OwnStep(keras.Sequential):
    """A step of the user's own, in the style of each backend."""

    train_step = {
        "tensorflow": own_step_on_tensorflow,
        "jax": own_step_on_jax,
        "torch": own_step_on_torch,
    }[keras.config.backend()]


@pytest.mark.tensorflow_too
def test_a_step_of_ones_own_takes_the_terms(x, label, mask, targets):
    """With weights that grow, in a function that is traced once."""
    model = OwnStep([keras.Input((SIZE, SIZE, 1)), *body()])
    compiled(model, **GRAPH)
    term, seen = MaskSupervision(), []
    own = own_losses(model, x, label).mean()
    values = by_hand(term, model, x, label, mask).mean()
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda _, logs: seen.append(float(logs["batch_loss"]))
    )
    injection = KnowledgeInjection([term], warmup=2)
    fit(model, x, targets, [injection, record], epochs=3)
    assert_close(seen, own + np.array([0, 0.5, 1]) * values, **ALLOWED)


class OwnEvaluation(keras.Sequential):
    """Is evaluated by a metric alone."""

    def test_step(self, data):
        x, _ = data
        return {"mean": keras.ops.mean(self(x, training=False))}


@pytest.mark.filterwarnings("ignore:The terms")
def test_an_evaluation_of_ones_own_without_knowledge_needs_no_loss(x, label, targets):
    model = compiled(OwnEvaluation([keras.Input((SIZE, SIZE, 1)), *body()]))
    injection = KnowledgeInjection([MaskSupervision()])
    logs = first(fit(model, x, targets, [injection], validation_data=(x, label)))
    assert_close(logs["val_mean"], 1 / CLASSES, **ALLOWED)
    with pytest.raises(ValueError, match=r"(?s)Expected.*`compute_loss`.*Received"):
        model.evaluate(x, targets, verbose=0, callbacks=[injection])


INPUTS = {
    "by name": lambda image, _: {"image": image},
    "behind another": lambda image, number: [number, image],
}


@pytest.mark.parametrize("arrange", INPUTS.values(), ids=INPUTS)
def test_masks_lie_in_place_whatever_the_inputs_are(x, label, arrange):
    x, mask = 30 * x, np.zeros((SAMPLES, SIZE, SIZE))
    mask[..., :4] = 1
    targets = {"label": label, "mask": mask}

    found = []
    for one in (lambda image, _: image, arrange):
        keras.utils.set_random_seed(1)
        image = keras.Input((SIZE, SIZE, 1), name="image")
        inputs = one(image, keras.Input((2,), name="number"))
        maps = layers.Conv2D(4, 5, activation="relu")(image)
        maps = LAPooling2D(2, concepts=CLASSES)(maps)
        features = layers.GlobalAveragePooling2D()(maps)
        outputs = layers.Dense(CLASSES, activation="softmax")(features)
        model = compiled(keras.Model(inputs, outputs))
        images = one(x, np.zeros((SAMPLES, 2), "float32"))
        logs = fit(model, images, targets, [KnowledgeInjection([MaskSupervision()])])
        found.append(logs["mask_supervision"])
    assert_close(found[1], found[0], **ALLOWED)


@pytest.mark.parametrize("loss", [Necessity, RightReasons])
def test_losses_that_look_into_images_find_them_by_name(x, targets, loss):
    found = []
    for by_name in (False, True):
        keras.utils.set_random_seed(1)
        image = keras.Input((SIZE, SIZE, 1), name="image")
        outputs = keras.Sequential(body())(image)
        model = compiled(keras.Model({"image": image} if by_name else image, outputs))
        images = {"image": x} if by_name else x
        logs = fit(model, images, targets, [KnowledgeInjection([loss()])])
        found.append([*first(logs).values()])
    assert_close(found[1], found[0], **ALLOWED)


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


class ByPosition(keras.Sequential):
    """Hands the arguments of its loss on in their order."""

    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def test_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        return {"own": self.compute_loss(x, y, y_pred, sample_weight, False)}


@pytest.mark.torch_suffices
def test_a_step_may_compute_its_loss_by_position(x, label):
    model = compiled(ByPosition([keras.Input((SIZE, SIZE, 1)), *body()]))
    options = {"batch_size": SAMPLES, "verbose": 0, "return_dict": True}
    logs = model.evaluate(
        x, label, callbacks=[KnowledgeInjection(Presence())], **options
    )
    assert_close(
        logs["own"], own_losses(model, x, label).mean() + logs["presence"], **ALLOWED
    )


class WithTeacher(keras.Sequential):
    """Reads targets of its own that are no knowledge."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **options):
        error = y_pred - keras.ops.cast(y["teacher"], y_pred.dtype)
        return keras.ops.mean(keras.ops.square(error))


def test_models_without_the_callback_are_left_alone(x, label):
    KnowledgeInjection([MaskSupervision()])
    model = compiled(WithTeacher([keras.Input((SIZE, SIZE, 1)), *body()]))
    teacher = np.zeros((SAMPLES, CLASSES), "float32")
    logs = first(fit(model, x, {"label": label, "teacher": teacher}))
    answers = keras.ops.convert_to_numpy(model(x, training=False))
    assert_close(logs["loss"], np.mean(np.square(answers)), **ALLOWED)
