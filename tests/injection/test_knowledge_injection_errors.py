"""`KnowledgeInjection` refuses what does not fit, and says why."""

import re
import warnings

import keras
import numpy as np
import pytest
from backend_limits import ON_TENSORFLOW
from injection_problem import (
    ALLOWED,
    CLASSES,
    SAMPLES,
    SIZE,
    Subclassed,
    as_float64,
    assert_same_state,
    body,
    call_at,
    compiled,
    first,
    fit,
    make_model,
    state,
)
from keras import layers, ops
from step_options import EAGER, GRAPH
from tolerances import assert_close

import keras_lap
from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.layers import score_tape
from keras_lap.losses import (
    Absence,
    AreaPrior,
    BoxSupervision,
    ConceptLabels,
    Exclusivity,
    KnowledgeLoss,
    MaskSupervision,
    Presence,
    RightReasons,
)

pytest_plugins = ["injection_problem"]
pytestmark = pytest.mark.torch_suffices

# What is refused.

REFUSED_ARGUMENTS = {
    "no losses": {"losses": []},
    "a class": {"losses": [Presence]},
    "a name": {"losses": ["presence"]},
    "a function without a name": {"losses": [lambda logits: logits]},
    "repeated names": {"losses": [MaskSupervision(), MaskSupervision(mode="outside")]},
    "too few weights": {"losses": [Presence(), MaskSupervision()], "weights": [1.0]},
    "too many weights": {"losses": [Presence()], "weights": [1.0, 2.0]},
    "a weight in quotes": {"losses": [Presence()], "weights": "4"},
    "weights by name": {"losses": [Presence()], "weights": {"presence": 1.0}},
    "negative weights": {"losses": [Presence()], "weights": -0.5},
    "a weight of NaN": {"losses": [Presence()], "weights": [np.nan]},
    "an infinite weight": {"losses": [Presence()], "weights": np.inf},
    "an endless warm-up": {"losses": [Presence()], "warmup": np.inf},
    "negative warmup": {"losses": [Presence()], "warmup": -1},
    "no layers": {"losses": [Presence()], "layers": []},
    "class_concepts that are negative": {
        "losses": [Presence()],
        "class_concepts": [0, -1],
    },
    "class_concepts of other numbers": {
        "losses": [Presence()],
        "class_concepts": [[0.5, 1], [2, 0]],
    },
}


@pytest.mark.parametrize("arguments", REFUSED_ARGUMENTS.values(), ids=REFUSED_ARGUMENTS)
def test_refuses_bad_arguments(arguments):
    with pytest.raises(ValueError, match=r"(?s)Expected.*Received"):
        KnowledgeInjection(**arguments)


def test_says_that_a_class_is_no_loss():
    with pytest.raises(ValueError, match=r"the class Presence\. Make one, Presence\("):
        KnowledgeInjection([Presence])
    with pytest.raises(ValueError, match=r"Received: <class 'dict'>$"):
        KnowledgeInjection([dict])


@pytest.mark.parametrize("kind", [keras.losses.BinaryCrossentropy, keras.losses.Dice])
def test_says_where_losses_of_keras_belong(kind):
    for loss in (kind, kind()):
        expected = f"Received: {kind.__name__} of Keras.*`compile`.*MaskSupervision"
        with pytest.raises(ValueError, match=expected):
            KnowledgeInjection([loss])


def test_two_losses_of_one_kind_need_names():
    masks = [MaskSupervision(), MaskSupervision("outside")]
    with pytest.raises(ValueError, match=r"(?s)different names.*Received.*name="):
        KnowledgeInjection(masks)
    masks[1] = MaskSupervision("outside", name="outside")
    assert KnowledgeInjection(masks).losses == masks


def depth_of(logits, depth):
    return ops.mean(logits, axis=(1, 2, 3)) * depth


class Depth(KnowledgeLoss):
    accepts = ("depth",)


@pytest.mark.parametrize("loss", [depth_of, Depth()])
def test_refuses_losses_that_need_what_does_not_exist(loss):
    with pytest.raises(ValueError, match=r"(?s)Expected.*'boxes'.*Received.*depth"):
        KnowledgeInjection([loss])


def test_takes_a_loss_without_a_list():
    loss = Presence()
    assert KnowledgeInjection(loss).losses == [loss]


def test_refuses_to_become_another():
    injection = KnowledgeInjection(Presence())
    with pytest.raises(AttributeError, match=r"Expected a new.*Received: weights=2"):
        injection.weights = 2
    assert injection.weights == [1]


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
    def train_step(self, *arguments):
        *state, (x, _) = arguments
        logs = {"loss": ops.mean(x)}
        return (logs, *state) if state else logs


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


class MakesLayersLate(keras.Model):
    def build(self, _):
        self.pool = GlobalLAPooling2D(concepts=CLASSES)

    def call(self, x):
        return self.pool(x)


def test_asks_to_build_a_model_that_makes_its_layers_late(x):
    """On TensorFlow `fit` builds it no sooner than in its first step."""
    model, injection = compiled(MakesLayersLate()), KnowledgeInjection([Presence()])
    with pytest.raises(ValueError, match=r"(?s)Expected.*call.* on a batch.*Received"):
        injection.set_model(model)
    model(x)
    injection.set_model(model)


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
    model = compiled(make(), metrics=["accuracy"])
    before, weights = state(model), model.get_weights()
    arguments = dict(arguments)
    callbacks = [KnowledgeInjection([Presence()])] * arguments.pop("again", False)
    with pytest.raises(ValueError, match=rf"(?s)Expected.*{message}"):
        fit(model, x, targets, [*callbacks, KnowledgeInjection(**arguments)])
    assert_same_state(before, model)
    for weight, old in zip(model.get_weights(), weights, strict=False):
        np.testing.assert_array_equal(weight, old)


def test_refuses_labels_and_plain_masks_beside_several_outputs(x, mask):
    loss = dict.fromkeys("ab", keras.losses.SparseCategoricalCrossentropy(True))
    model = compiled(two_outputs(), loss=loss)
    y = {"label": dict.fromkeys("ab", np.zeros(SAMPLES, int)), "mask": mask}
    y["boxes"] = np.full((SAMPLES, 1, 4), [0.25, 0.25, 0.5, 0.75])
    for loss in (Presence(), MaskSupervision(), BoxSupervision()):
        message = r"(?s)Expected a model with one output.*(masks|box).*\(N, .*\)"
        with pytest.raises(ValueError, match=message):
            fit(model, x, y, [KnowledgeInjection([loss])])


@pytest.mark.parametrize("concepts", [1, 2])
def test_knowledge_that_names_its_concepts_goes_beside_several_outputs(
    x, mask, concepts
):
    loss = dict.fromkeys("ab", keras.losses.SparseCategoricalCrossentropy(True))
    model = compiled(two_outputs(), loss=loss)
    (head,) = keras_lap.lap_layers(model)
    y = {"label": dict.fromkeys("ab", np.zeros(SAMPLES, int))}
    y["mask"] = np.stack([mask, 0 * mask], axis=-1)[..., :concepts]
    y["boxes"] = np.full((SAMPLES, 1, 4), [0.25, 0.25, 0.5, 0.75], "float32")
    y["box_concepts"] = np.zeros((SAMPLES, 1))
    with score_tape() as records:
        model(x)
    terms, logits = [MaskSupervision(), BoxSupervision()], records[0].logits
    logs = first(fit(model, x, y, [KnowledgeInjection(terms)]))
    by_mask = terms[0](logits, mask=mask[..., None])
    by_box = terms[1](logits, boxes=y["boxes"], present=np.ones((SAMPLES, 1)))
    assert head.concepts == 1
    for term, values in zip(terms, (by_mask, by_box), strict=True):
        assert_close(logs[term.name], np.mean(as_float64(values)), **ALLOWED)


def test_boxes_of_no_concept_teach_nothing_beside_several_outputs(x):
    loss = dict.fromkeys("ab", keras.losses.SparseCategoricalCrossentropy(True))
    model = compiled(two_outputs(), loss=loss)
    y = {"label": dict.fromkeys("ab", np.zeros(SAMPLES, int)), **A_BOX}
    y["box_concepts"] = np.full((SAMPLES, 1), -1)
    injection = KnowledgeInjection([BoxSupervision()])
    with pytest.warns(UserWarning, match="no sample"):
        logs = first(fit(model, x, y, [injection]))
    assert np.isnan(logs["box_supervision"])


def test_boxes_that_name_their_concepts_need_no_label(x):
    """Of layers of which nobody said which classes their concepts are."""
    model = single_output("mse", concepts=3)
    y = {"label": SEVERITY, **A_BOX, "box_concepts": np.zeros((SAMPLES, 1))}
    with score_tape() as records:
        model(x)
    logs = first(fit(model, x, y, [KnowledgeInjection([BoxSupervision()])]))
    known = {"boxes": y["boxes"], "box_concepts": y["box_concepts"]}
    values = BoxSupervision()(records[0].logits, **known)
    assert_close(logs["box_supervision"], np.mean(as_float64(values)), **ALLOWED)
    del y["box_concepts"]
    with pytest.raises(ValueError, match="`class_concepts` of `KnowledgeInj"):
        fit(model, x, y, [KnowledgeInjection([BoxSupervision()])])


def test_boxes_that_name_their_concepts_go_beside_labels_of_pixels(x, mask):
    inputs = keras.Input((SIZE, SIZE, 1))
    pooled = LAPooling2D(2)(inputs)
    outputs = layers.Conv2DTranspose(1, 2, strides=2)(pooled)
    model = compiled(keras.Model(inputs, outputs), loss="mse", metrics=[])
    y = {"label": mask[..., None], **A_BOX, "box_concepts": np.zeros((SAMPLES, 1))}
    assert first(fit(model, x, y, [KnowledgeInjection([BoxSupervision()])]))
    with pytest.raises(ValueError, match=r"(?s)one output, the classes.*, 1\)"):
        fit(model, x, y, [KnowledgeInjection([Presence()])])


def two_sets_of_concepts():
    layers_of = {"parts": 2, "classes": CLASSES}
    return sequential(
        *[LAPooling2D(2, concepts=k, name=name) for name, k in layers_of.items()]
    )


OF_ANOTHER_SET = {
    "attributes": (ConceptLabels(), {"concepts": np.ones((SAMPLES, CLASSES))}, None),
    "pairs": (Exclusivity([(0, 2)]), {}, None),
    "boxed concepts": (
        BoxSupervision([2]),
        {"boxes": np.tile([0, 0, 0.5, 0.5], (SAMPLES, 1, 1))},
        None,
    ),
    "labels": (Presence(), {}, None),
    "labels of concepts": (Presence(), {}, np.eye(CLASSES)),
}


@pytest.mark.parametrize(
    "loss, known, class_concepts", OF_ANOTHER_SET.values(), ids=OF_ANOTHER_SET
)
def test_hints_at_layers_where_they_have_several_sets_of_concepts(
    x, label, loss, known, class_concepts
):
    refused = KnowledgeInjection([loss], class_concepts=class_concepts)
    with pytest.raises(ValueError, match=r"(?s)Expected.*`layers`"):
        fit(compiled(two_sets_of_concepts()), x, {"label": label, **known}, [refused])


def test_layers_of_one_set_of_concepts_take_what_names_them(x, label):
    losses = [loss for loss, *_ in list(OF_ANOTHER_SET.values())[:4]]
    y = {"label": label}
    for _, known, _ in OF_ANOTHER_SET.values():
        y |= known
    for class_concepts in (None, np.eye(CLASSES)):
        options = {"layers": "classes", "class_concepts": class_concepts}
        injection = KnowledgeInjection(losses, **options)
        fit(compiled(two_sets_of_concepts()), x, y, [injection])
    # The last layer alone is asked.
    fit(compiled(two_sets_of_concepts()), x, y, [KnowledgeInjection(Absence())])


def test_flags_of_none_are_none(x, targets):
    expected, *given = (
        fit(make_model(), x, y, [KnowledgeInjection([MaskSupervision()])])
        for y in (targets, *[{**targets, "valid": v} for v in (None, {"mask": None})])
    )
    assert given == [expected] * 2


class WithoutLabels(keras.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, *_, **__):
        return ops.mean(y_pred)


def test_says_where_a_label_is_missing(x):
    model = WithoutLabels([keras.Input((SIZE, SIZE, 1)), *body()])
    compiled(model)
    fit(model, x, callbacks=[KnowledgeInjection([Exclusivity()])])
    with pytest.raises(ValueError, match="Expected targets with a label"):
        fit(model, x, callbacks=[KnowledgeInjection([Presence()])])


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
    "no label": pytest.param(
        lambda y: {"mask": y["mask"]},
        "'label'.*Received keys",
        marks=[
            pytest.mark.tensorflow_too,
            pytest.mark.skipif(
                not ON_TENSORFLOW,
                reason="Keras builds the loss on what stands for the label first",
            ),
        ],
    ),
    "unknown key": (
        lambda y: {**y, "areas": y["label"]},
        r"Received keys.*areas.*Did you mean \['area'",
    ),
    "transposed": (lambda y: {**y, "mask": y["mask"][:, :8]}, "aspect ratio"),
    "flat": (lambda y: {**y, "mask": y["mask"][:, 0]}, r"'mask' of shape \(N, H, W\)"),
    "flags that are no column": (
        lambda y: {**y, "valid": {"mask": np.ones((SAMPLES, 2))}},
        r"'valid' of 'mask'.*\(6,\).*Received.*\(6, 2\)",
    ),
    "a dict of dicts": (
        lambda y: {**y, "boxes": {"boxes": y["mask"], "labels": y["label"]}},
        "'boxes' as one array.*Received.*'labels'",
    ),
    "a list of nothing": (
        lambda y: {**y, "mask": [None] * SAMPLES},
        "'mask' as one array.*np.stack.*'valid'",
    ),
    "other concepts": (
        lambda y: {**y, "mask": np.stack([y["mask"]] * 2, axis=-1)},
        "3 concepts.*`layers`",
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


def pixels(count=1):
    return np.full((SAMPLES, count, 4), [0, 0, 20, 20])


def masks_of_three(*, alike, others):
    """So many images show the same of three concepts, so many others one of them."""
    masks = np.zeros((SAMPLES, SIZE, SIZE, 3))
    masks[:alike, :4, :4] = 1
    masks[alike : alike + others, :4, :4, 0] = 1
    return masks


def masks_of_no_doubt():
    """As resizing leaves them, and one that is not known."""
    masks = np.full((SAMPLES, SIZE, SIZE), -0.1)
    masks[0], masks[0, 3, 2] = -1, np.nan
    return masks


# Kind of knowledge, loss, values that are misread, others that are not, what is said.
DOUBTFUL = {
    "boxes in pixels": (
        "boxes",
        BoxSupervision(),
        pixels(),
        np.clip(pixels(), 0, 1),
        "Received 12 values.*convert_format",
    ),
    "boxes of widths and heights": (
        "boxes",
        BoxSupervision(),
        np.full((SAMPLES, 1, 4), [0.5, 0.2, 0.1, 0.3]),
        np.full((SAMPLES, 1, 4), -1.0),
        r"Received 6 boxes that end above.*convert_format",
    ),
    "area": (
        "area",
        AreaPrior(),
        pixels(CLASSES)[..., 1:3],
        np.ones((SAMPLES, CLASSES, 2)),
        "Received 18 values.*divide",
    ),
    "bounds of areas": (
        "area",
        AreaPrior(),
        np.full((SAMPLES, CLASSES, 2), [0.5, 0.2]),
        np.full((SAMPLES, CLASSES, 2), [0.5, -1]),
        "Received 18 pairs.*in this order",
    ),
    "mask": (
        "mask",
        MaskSupervision(),
        np.full((SAMPLES, SIZE, SIZE), -1),
        masks_of_no_doubt(),
        "Received 6 masks with negative.*NaN",
    ),
    "mask in RGB": (
        "mask",
        MaskSupervision(),
        masks_of_three(alike=5, others=0),
        masks_of_three(alike=4, others=1),
        r"Received 5 whose three channels are the same.*\[\.\.\., 0\]",
    ),
}


def warnings_of_values(model, x, y, loss, after_a_step, **options):
    """Before training is over, or a step of it."""
    found = []

    def look(_):
        found[:] = [str(w.message) for w in caught if "targets '" in str(w.message)]

    hook = "on_train_batch_end" if after_a_step else "on_epoch_end"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, x, y, [KnowledgeInjection([loss]), call_at(hook, look)], **options)
    return found


@pytest.mark.tensorflow_too
def test_warns_of_pixels_after_the_first_step(x, label):
    _, loss, far, _, message = DOUBTFUL["boxes in pixels"]
    y = {"label": label, "boxes": far}
    (warning,) = warnings_of_values(make_model(**GRAPH), x, y, loss, True)
    assert re.search(message, warning)


@pytest.mark.parametrize(
    "name, loss, far, near, message", DOUBTFUL.values(), ids=DOUBTFUL
)
def test_warns_once_of_values_that_are_valid_and_misread(
    x, label, name, loss, far, near, message
):
    model, shares = make_model(), {"label": label, name: near}
    unknown = {"label": label, name: far, "valid": np.zeros(SAMPLES)}
    for y in (shares, unknown):
        assert warnings_of_values(model, x, y, loss, False) == []
    validation = (x, {"label": label, name: far})
    (warning,) = warnings_of_values(
        model, x, shares, loss, False, epochs=2, validation_data=validation
    )
    assert re.search(message, warning)


def test_an_evaluation_in_between_does_not_warn_anew(x, label):
    """Nor does it let a training forget how long it was."""
    pooling = GlobalLAPooling2D(concepts=CLASSES, base="avg")
    model = compiled(sequential(pooling))
    y = {"label": label, "boxes": pixels()}
    injection = KnowledgeInjection([BoxSupervision()])

    def evaluate(model):
        model.evaluate(x, y, verbose=0, callbacks=[injection])

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        evaluating = call_at("on_epoch_end", evaluate)
        fit(model, x, y, [injection, evaluating], epochs=2)
    said = [str(each.message) for each in caught]
    for text in ("convert_format", "GateAnneal"):
        assert len([each for each in said if text in each]) == 1


def test_three_concepts_may_coincide_in_one_image(x, label):
    y = {"label": label, "mask": masks_of_three(alike=1, others=0)}
    assert warnings_of_values(make_model(), x, y, MaskSupervision(), False) == []


def single_output(loss, concepts=1):
    inputs = keras.Input((SIZE, SIZE, 1))
    pooled = GlobalLAPooling2D(concepts=concepts)(inputs)
    outputs = layers.Dense(1, activation="sigmoid")(pooled)
    return compiled(keras.Model(inputs, outputs), loss=loss)


def warnings_of(text, model, x, y, terms, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, x, y, [KnowledgeInjection(terms)], **options)
    return [str(w.message) for w in caught if text in str(w.message)]


SEVERITY = np.linspace(0, 1, SAMPLES, dtype="float32")
A_BOX = {"boxes": np.full((SAMPLES, 1, 4), [0.25, 0.25, 0.5, 0.75])}
LABELS_OF_A_CLASS = {
    "measurements": ("mse", SEVERITY, 2),
    "zeros and ones": ("mse", [0, 1, 1, 0, np.nan, 1], 0),
    "signs": ("hinge", [-1, 1, 1, -1, 1, 1], 0),
    "large numbers": ("mse", 100 * SEVERITY, 0),
    "soft labels of a class": ("binary_crossentropy", SEVERITY, 0),
}


@pytest.mark.parametrize(
    "loss, label, count", LABELS_OF_A_CLASS.values(), ids=LABELS_OF_A_CLASS
)
def test_warns_once_of_measurements_that_are_read_as_classes(x, loss, label, count):
    y, model = np.float32(label), single_output(loss)
    found = warnings_of("labels of 0 and 1", model, x, y, [Presence()], epochs=2)
    assert [f"Received {count} others" in each for each in found] == [True] * bool(
        count
    )


@pytest.mark.skipif(not ON_TENSORFLOW, reason="torch refuses such labels itself")
@pytest.mark.parametrize("top, count", [(1, 0), (2, 2), (255, 2)])
@pytest.mark.tensorflow_too
def test_warns_once_of_labels_that_a_binary_cross_entropy_cannot_take(
    x, mask, top, count
):
    y = {"label": np.array([0, 1, top, 0, top, np.nan], "float32"), "mask": mask}
    model = single_output("binary_crossentropy")
    found = warnings_of("above 1, by", model, x, y, [MaskSupervision()], epochs=2)
    assert [f"Received {count} above" in each for each in found] == [True] * bool(count)


@pytest.mark.parametrize(
    "loss, axis", [("mse", False), ("mse", True), ("binary_crossentropy", True)]
)
def test_warns_once_of_masks_of_what_the_label_does_not_name(x, mask, loss, axis):
    mask = mask[..., None] if axis else mask
    named = np.reshape(SEVERITY > 0.5, [-1] + [1] * (mask.ndim - 1))
    known_but_one = mask.copy()
    known_but_one[0, 3, 2] = np.nan
    # Those of the first three do not count, of labels below 0.5.
    for given, valid, count in (
        (known_but_one, 1, 0 if axis and loss == "mse" else 2),
        (mask, SEVERITY > 0.3, 0 if axis and loss == "mse" else 1),
        (named * mask, 1, 0),
    ):
        y = {"label": SEVERITY, "mask": given, "valid": valid * np.ones(SAMPLES)}
        found = warnings_of(
            "names nothing", single_output(loss), x, y, [MaskSupervision()], epochs=2
        )
        assert len(found) == bool(count)
        assert all(f"in {count} images" in each for each in found)


def test_warns_once_of_boxes_of_what_the_label_does_not_name(x):
    model, y = single_output("binary_crossentropy"), {"label": SEVERITY, **A_BOX}
    for numbers, count in ((None, 3), (-1, 3), (0, 0)):
        if numbers is not None:
            y["box_concepts"] = np.full((SAMPLES, 1), numbers)
        terms = [BoxSupervision()]
        found = warnings_of("names nothing", model, x, y, terms, epochs=2)
        assert len(found) == bool(count)
        assert all(f"in {count} images" in each for each in found)


def test_warns_once_of_boxes_of_concepts_that_no_layer_has(x, label):
    y = {"label": label, **A_BOX, "box_concepts": np.arange(SAMPLES)[:, None]}
    terms = [BoxSupervision()]
    (found,) = warnings_of("'box_concepts'", make_model(), x, y, terms, epochs=2)
    assert f"from 0 to {CLASSES - 1}" in found and "Received 3 above" in found
    y["valid"] = np.arange(SAMPLES) < CLASSES
    assert warnings_of("'box_concepts'", make_model(), x, y, terms) == []


@pytest.mark.parametrize(
    "concepts, number, epochs, is_warned",
    [(None, 0, 7, True), ([0], 0, 7, False), (None, -1, 7, False), (None, 0, 6, False)],
)
@pytest.mark.tensorflow_too
def test_warns_once_of_concepts_that_are_never_boxed(
    x, concepts, number, epochs, is_warned
):
    """It takes 32 images that show them, and the last epoch of seven has the 35th."""
    label = np.array([[1, 1, 0]] * 5 + [[1, 0, 0]])
    y = {"label": label, **A_BOX, "box_concepts": np.full((SAMPLES, 1), number)}
    model = compiled(sequential(LAPooling2D(2, concepts=3)), loss="binary_crossentropy")
    terms = [BoxSupervision(concepts), ConceptLabels()]
    y["concepts"] = label
    found = warnings_of("has seen no box", model, x, y, terms, epochs=epochs)
    assert len(found) == is_warned
    assert all("concepts [1], each" in each for each in found)
    assert all("BoxSupervision(concepts=[0])" in each for each in found)


@pytest.mark.parametrize(
    "shown, epochs, empty",
    [
        ([1, 2], 16, "empty in 32 images whose .* show it in 32"),
        ([1, 2, 4, 5], 16, None),
        ([1, 2], 10, None),
        # All of class 0 show nothing, as scans without finding.
        ([1, 2, 4, 5], 99, None),
        ([], 16, "empty in 96 images whose .* show it in 0"),
    ],
)
@pytest.mark.tensorflow_too
def test_warns_once_of_masks_that_are_empty_for_being_missing(
    x, label, mask, shown, epochs, empty
):
    """Of each of three classes there are two images."""
    assert label.tolist() == [0, 1, 2, 0, 1, 2]
    kept = np.isin(np.arange(SAMPLES), shown)[:, None, None]
    y = {"label": label, "mask": mask * kept}
    model = make_model()
    found = warnings_of("are empty in", model, x, y, [MaskSupervision()], epochs=epochs)
    assert len(found) == (empty is not None)
    assert all(re.search(empty, each) for each in found)
    # Not where flags say that they are not known.
    y["valid"] = kept[:, 0, 0]
    assert not warnings_of("are empty", model, x, y, [MaskSupervision()], epochs=epochs)


def test_does_not_warn_of_images_without_finding_that_come_first():
    """As unshuffled folders bring them, before any image of another class."""
    images, label = np.zeros((48, SIZE, SIZE, 1)), np.repeat([0, 1, 2], [32, 8, 8])
    mask = np.ones((48, SIZE, SIZE)) * (label > 0)[:, None, None]
    y, terms = {"label": label, "mask": mask}, [MaskSupervision()]
    assert not warnings_of("are empty", make_model(), images, y, terms, batch_size=32)


LABELS_OF_NO_CONCEPT = {
    "classes": (np.arange(SAMPLES) % 5, 5, "sparse_categorical_crossentropy"),
    "measurements": (SEVERITY, 1, "mse"),
    "maps": (np.zeros((SAMPLES, SIZE, SIZE, CLASSES)), None, "mse"),
}


@pytest.mark.parametrize(
    "label, classes, loss", LABELS_OF_NO_CONCEPT.values(), ids=LABELS_OF_NO_CONCEPT
)
@pytest.mark.tensorflow_too
def test_masks_that_name_their_concepts_ask_nothing_of_labels(x, label, classes, loss):
    inputs = keras.Input((SIZE, SIZE, 1))
    pooled = LAPooling2D(1, concepts=CLASSES)(inputs)
    outputs = layers.Conv2D(CLASSES, 1)(pooled)
    if classes is not None:
        pooled = layers.GlobalAveragePooling2D()(pooled)
        outputs = layers.Dense(classes, activation="sigmoid")(pooled)
    model = compiled(keras.Model(inputs, outputs), loss=loss)
    y = {"label": label, "mask": np.zeros((SAMPLES, SIZE, SIZE, CLASSES))}
    assert first(fit(model, x, y, [KnowledgeInjection([MaskSupervision()])]))
    assert not warnings_of("are empty", model, x, y, [MaskSupervision()], epochs=9)


@pytest.mark.tensorflow_too
def test_the_union_of_masks_may_be_of_others_than_the_layers_concepts(x, label):
    y = {"label": label, "mask": np.zeros((SAMPLES, SIZE, SIZE, CLASSES - 1))}
    logs = first(fit(make_model(), x, y, [KnowledgeInjection([RightReasons()])]))
    assert np.isfinite(logs["right_reasons"])


def test_what_is_watched_is_what_is_read(x):
    """Boxes for a loss that reads no label, of concepts that it could not name."""

    def own(logits, boxes):
        return ops.mean(ops.sigmoid(logits), axis=(1, 2, 3))

    y, model = {"label": SEVERITY, **A_BOX}, single_output("mse", concepts=3)
    assert warnings_of("argets 'boxes'", model, x, y, [own]) == []


def test_numbers_of_padding_are_not_read(x):
    """As annotation tools leave them behind the boxes of an image."""
    boxes = np.concatenate([A_BOX["boxes"], np.full((SAMPLES, 1, 4), -1.0)], axis=1)
    for number in (0, 255):
        numbers = np.tile([-1, number], (SAMPLES, 1))
        y = {"label": SEVERITY, "boxes": boxes, "box_concepts": numbers}
        terms, model = [BoxSupervision()], single_output("mse", concepts=3)
        (found,) = warnings_of("box", model, x, y, terms)
        assert "['box_supervision'] are NaN" in found


def test_layers_count_that_know_whose_boxes_are(x):
    """The label names the concept of a layer with one, not those of another."""
    inputs = keras.Input((SIZE, SIZE, 1))
    pooled = LAPooling2D(2, name="one")(inputs)
    pooled = GlobalLAPooling2D(concepts=5, name="five")(pooled)
    model = keras.Model(inputs, layers.Dense(1)(pooled))
    compiled(model, loss="mse")
    y = {"label": np.full(SAMPLES, 0.7), **A_BOX}
    y["box_concepts"] = np.full((SAMPLES, 1), -1)
    both, one = (
        first(fit(model, x, y, [KnowledgeInjection([BoxSupervision()], layers=names)]))
        for names in (None, "one")
    )
    assert_close(both["box_supervision"], one["box_supervision"], **ALLOWED)


def test_each_warning_is_given(x, label):
    """Also where others were before."""
    y = {"label": label, "boxes": pixels(), "mask": np.full((SAMPLES, SIZE, SIZE), -1)}
    terms = [BoxSupervision(), MaskSupervision()]
    assert len(warnings_of("Expected targets", make_model(), x, y, terms)) == 2


def test_warns_of_terms_of_nothing_in_evaluate(x, label):
    y = {"label": label, "boxes": np.full((SAMPLES, 1, 4), -1.0)}
    injection = KnowledgeInjection([BoxSupervision()])
    with pytest.warns(UserWarning, match=r"\['box_supervision'\] are NaN"):
        make_model().evaluate(x, y, callbacks=[injection], verbose=0)


def test_terms_that_validation_does_not_have_are_named_once(x, label):
    y, terms = {"label": label, "mask": np.ones((SAMPLES, 8, 8))}, [MaskSupervision()]
    validation = {"validation_data": (x, label), "epochs": 2}
    (found,) = warnings_of("NaN", make_model(), x, y, terms, **validation)
    assert "['val_mask_supervision']" in found


def test_a_layer_of_one_concept_may_be_told_by_a_picture(x, label):
    pooling, classes = GlobalLAPooling2D(concepts=1), layers.Dense(CLASSES)
    model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), pooling, classes])
    y = {"label": label, "mask": masks_of_three(alike=5, others=0)}
    assert warnings_of("channels", compiled(model), x, y, [MaskSupervision()]) == []


@pytest.mark.parametrize(
    "gate, epochs, warns", [(0, 2, True), (0, 1, False), (0.1, 2, False)]
)
def test_warns_of_gates_that_have_not_begun_to_open(x, label, gate, epochs, warns):
    pooling = GlobalLAPooling2D(concepts=CLASSES, base="avg")
    images, classes = keras.Input((SIZE, SIZE, 1)), layers.Dense(CLASSES)
    model = keras.Sequential([images, pooling, classes])
    pooling.gate.assign(gate)
    compiled(model)
    found = warnings_of("GateAnneal", model, x, label, [Presence()], epochs=epochs)
    assert len(found) == warns


def two_sizes():
    image, detail = keras.Input((SIZE, SIZE, 1)), keras.Input((8, 8, 1))
    pooled = GlobalLAPooling2D(concepts=CLASSES)(image)
    joined = layers.Concatenate()([pooled, layers.Flatten()(detail)])
    return keras.Model([image, detail], layers.Dense(CLASSES)(joined))


def no_images():
    flat = keras.Input((SIZE**2,))
    image = layers.Reshape((SIZE, SIZE, 1))(flat)
    pooled = GlobalLAPooling2D(concepts=CLASSES)(image)
    return keras.Model(flat, layers.Dense(CLASSES)(pooled))


UNPLACED = {
    "two sizes": (
        two_sizes,
        EAGER,
        lambda x: [x, x[:, :8, :8]],
        r"\[\(8, 8\), \(16, 16\)\] pixels: resize them to one size",
    ),
    "no images": pytest.param(
        no_images,
        GRAPH,
        lambda x: x.reshape(SAMPLES, -1),
        "Let the model take its images as an input with four axes",
        marks=pytest.mark.tensorflow_too,
    ),
}


@pytest.mark.parametrize("make, step, inputs, advice", UNPLACED.values(), ids=UNPLACED)
def test_warns_once_per_fit_of_images_of_no_one_size(
    x, targets, make, step, inputs, advice
):
    model = compiled(make(), loss="mse", **step)
    targets = {**targets, "label": np.eye(CLASSES)[targets["label"]]}
    injection = KnowledgeInjection([Presence(), MaskSupervision()])
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit(model, inputs(x), targets, [injection], epochs=2)
        (warning,) = (str(w.message) for w in caught if "evenly" in str(w.message))
        assert re.search(rf"\['mask_supervision'\].*{advice}", warning)
