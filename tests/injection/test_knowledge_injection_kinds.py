"""All kinds of knowledge in `fit`: boxes, attributes, areas, and a mix of them."""

import importlib
import math

import keras
import numpy as np
import pytest
from backend_limits import shown_on_tensorflow
from injection_problem import (
    ALLOWED,
    CLASSES,
    SAMPLES,
    SIZE,
    as_float64,
    compiled,
    first,
    fit,
    make_model,
    own_losses,
    scored,
)
from keras import layers, ops
from step_options import GRAPH
from tolerances import assert_close

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.layers import score_tape
from keras_lap.losses import (
    Absence,
    AreaPrior,
    BoxSupervision,
    ConceptLabels,
    Consistency,
    CrossLayerLoss,
    Exclusivity,
    InputGradientLoss,
    KnowledgeLoss,
    MaskSupervision,
    PerturbationLoss,
    Presence,
    RightReasons,
    SupervisedLayer,
)

pytest_plugins = ["injection_problem"]

TERMS = [
    BoxSupervision(),
    ConceptLabels(),
    AreaPrior(min_area=0.3),
    AreaPrior(name="known_area"),
    Exclusivity(),
    MaskSupervision(),
]


@pytest.fixture
def known(rng, mask):
    """All there is to know besides the label, some of it unknown."""
    boxes = np.sort(rng.uniform(size=(SAMPLES, 3, 2, 2)), axis=2)
    boxes = boxes.reshape(SAMPLES, 3, 4)
    boxes[::2, 2] = -1
    area = np.sort(rng.uniform(size=(SAMPLES, CLASSES, 2)))
    area[1, 1], area[2, :, 1] = np.nan, -1
    return {
        "boxes": boxes,
        "box_concepts": rng.choice([-1, 0, 2], size=(SAMPLES, 3)),
        "concepts": rng.choice([-1, 0, 1, 1], size=(SAMPLES, CLASSES)),
        "area": area,
        "mask": mask,
    }


def by_hand(term, model, x, known, present):
    """The term of each sample in a model with the layers `"pool"` and `"head"`.

    It is that of `"head"` alone where nothing needed is known of the one of `"pool"`.
    """
    with score_tape() as records:
        model(x, training=False)
    attributes = known["concepts"]
    any_attribute = np.where(
        attributes.max(axis=1) == 1, 1, np.where(attributes.min(axis=1) < 0, -1, 0)
    )
    of_one = {
        "present": present.max(axis=1, keepdims=True),
        "boxes": known["boxes"],
        "box_concepts": np.minimum(known["box_concepts"], 0),
        "concepts": any_attribute[:, None],
        "area": np.full((SAMPLES, 1, 2), -1),
    }
    of_all = {**known, "present": present}
    supervised = []
    for record, knowledge in zip(records, (of_one, of_all), strict=True):
        side = record.logits.shape[1]
        blocks = known["mask"].reshape(SAMPLES, side, SIZE // side, side, SIZE // side)
        small = blocks.mean(axis=(2, 4))[..., None]
        knowledge["mask"] = small * knowledge["present"][:, None, None]
        names = (*term.needs, *term.accepts)
        knowledge = {name: knowledge[name] for name in names if name in knowledge}
        supervised.append(SupervisedLayer(record.logits, knowledge=knowledge))
    if isinstance(term, CrossLayerLoss):
        return as_float64(term(supervised))
    of_pool, of_head = (
        as_float64(term(layer.logits, **layer.knowledge)) for layer in supervised
    )
    known_of_pool = np.ones(SAMPLES, bool)
    for name in {"concepts", "area"} & {*term.needs}:
        known_of_pool &= np.reshape(of_one[name], (SAMPLES, -1)).max(axis=1) >= 0
    return np.where(known_of_pool, (of_pool + of_head) / 2, of_head)


def one_hot(label):
    return np.eye(CLASSES)[label]


@pytest.mark.parametrize(
    "options", [{}, pytest.param(GRAPH, marks=shown_on_tensorflow)], ids=str
)
@pytest.mark.jax_too
def test_every_kind_of_knowledge_has_its_term(x, label, known, options):
    model, terms = scored(make_model(**options)), [*TERMS, Absence(), Consistency()]
    targets = {"label": label, **known}
    logs = first(fit(model, x, targets, [KnowledgeInjection(terms, weights=0.5)]))
    loss = own_losses(model, x, label).mean()
    for term in terms:
        values = by_hand(term, model, x, known, one_hot(label))
        assert values.mean() > 1e-3
        assert_close(logs[term.name], values.mean(), **ALLOWED)
        loss += 0.5 * values.mean()
    assert_close(logs["loss"], loss, **ALLOWED)


@pytest.mark.torch_suffices
def test_each_kind_may_be_missing_for_other_samples(x, label, known):
    """What takes the place of the missing has no influence, be it NaN."""
    flags = dict(zip(known, ~np.eye(len(known), SAMPLES, dtype=bool), strict=True))
    flags["boxes"][5] = flags["concepts"][:3] = False
    results = []
    for content in (None, 0.25, np.nan, 1e4):
        values = {name: np.float64(value) for name, value in known.items()}
        for name, valid in flags.items():
            values[name][~valid] = values[name][~valid] if content is None else content
        model = make_model(rate=0.1)
        targets = {"label": label, **values, "valid": flags}
        history = fit(model, x, targets, [KnowledgeInjection(TERMS)])
        results.append((history, model.get_weights()))
    for history, weights in results[1:]:
        assert history == results[0][0]
        for weight, other in zip(weights, results[0][1], strict=True):
            np.testing.assert_array_equal(weight, other)

    # The other samples are those of a model that knows all, or falls back.
    model = make_model()
    known["box_concepts"][~flags["box_concepts"]] = -1
    known["area"][~flags["area"]] = -1
    for term in TERMS:
        counts = np.prod([flags.get(name, np.ones(6)) for name in term.needs], axis=0)
        values = by_hand(term, model, x, known, one_hot(label))
        expected = np.average(values, weights=np.broadcast_to(counts, SAMPLES))
        assert_close(results[0][0][term.name], [expected], **ALLOWED)


@pytest.mark.torch_suffices
def test_what_says_nothing_needs_no_flag(x, label, known):
    targets = {"label": label, **known}
    targets["boxes"] = np.full((SAMPLES, 3, 4), -1.0)
    targets["concepts"][1:] = -1
    targets["area"][:] = -1
    model = make_model()
    logs = first(fit(model, x, targets, [KnowledgeInjection(TERMS)]))
    assert math.isnan(logs["box_supervision"])
    assert math.isnan(logs["known_area"])
    assert np.isfinite([logs["area_prior"], logs["loss"]]).all()
    values = by_hand(ConceptLabels(), model, x, known, one_hot(label))
    assert_close(logs["concept_labels"], values[0], **ALLOWED)


class LeastArea(CrossLayerLoss):
    needs = ("area",)

    def call(self, layers):
        areas = ops.stack([layer.knowledge["area"][:, 0, 0] for layer in layers])
        return ops.max(areas, axis=0)


@pytest.mark.torch_suffices
def test_samples_count_across_layers_if_any_of_these_is_told(x, label):
    """As is one of several concepts, where their union is not known."""
    attributes = np.zeros((SAMPLES, CLASSES))
    attributes[2:, 1] = -1
    area = np.full((SAMPLES, CLASSES, 2), 0.25)
    y = {"label": label, "concepts": attributes, "area": area}
    model, terms = scored(make_model()), [LeastArea(), Absence("concepts")]
    both = first(fit(model, x, y, [KnowledgeInjection(terms)]))
    of_union = first(fit(model, x, y, [KnowledgeInjection(terms, layers="pool")]))
    assert_close(both["least_area"], 0.25, **ALLOWED)
    assert math.isnan(of_union["least_area"])
    with score_tape() as records:
        model(x, training=False)
    known = SupervisedLayer(records[0].logits[:2], knowledge={"concepts": [[0], [0]]})
    assert_close(of_union["absence"], ops.mean(terms[1]([known])), **ALLOWED)


@pytest.mark.torch_suffices
def test_masks_of_nan_are_not_known(x, label, mask):
    broken = mask.astype("float32")
    broken[1, 2, 3], broken[4] = np.nan, np.nan
    flags = ~np.isin(np.arange(SAMPLES), (1, 4))
    logs = [
        first(
            fit(
                make_model(),
                x,
                {"label": label, **targets},
                [KnowledgeInjection([MaskSupervision()])],
            )
        )
        for targets in ({"mask": broken}, {"mask": mask, "valid": {"mask": flags}})
    ]
    assert np.isfinite(logs[0]["loss"])
    for name in ("loss", "mask_supervision"):
        assert_close(logs[0][name], logs[1][name], **ALLOWED)


@pytest.mark.torch_suffices
def test_samples_count_in_layers_that_know_enough_of_their_masks(x, label, mask):
    """Masks of some concepts only are none for a layer with a single one."""
    masks = mask[..., None] * np.eye(CLASSES)[label][:, None, None]
    some = masks.astype("float32")
    # The first is known of one concept, the second of none.
    some[0, ..., 1:], some[1] = np.nan, np.nan

    def own(logits, mask):
        return ops.mean(ops.softplus(logits) * (1 - mask), axis=(1, 2, 3))

    terms = [MaskSupervision(), own, RightReasons()]
    model = make_model()
    logs = first(
        fit(model, x, {"label": label, "mask": some}, [KnowledgeInjection(terms)])
    )
    with score_tape() as records:
        model(x, training=False)
    pool, head = (record.logits for record in records)
    flags = ~np.isnan(some).any(axis=(1, 2))
    union = masks.max(axis=-1, keepdims=True)
    of_pool = MaskSupervision()(pool, mask=_at(pool, union))
    given = {"mask": _at(head, masks), "mask_known": flags}
    of_head = as_float64(MaskSupervision()(head, **given))
    expected = (as_float64(of_pool) + of_head) / 2
    expected[0] = of_head[0]
    assert_close(logs["mask_supervision"], expected[[0, 2, 3, 4, 5]].mean(), **ALLOWED)
    y = {"label": label, "mask": masks, "valid": {"mask": np.arange(SAMPLES) > 1}}
    without = first(fit(make_model(), x, y, [KnowledgeInjection(terms)]))
    for name in ("own", "right_reasons"):
        assert_close(logs[name], without[name], **ALLOWED)


@pytest.mark.torch_suffices
def test_a_loss_may_be_nan_where_nothing_is_known(x, label, mask):
    """In a layer, too, and not in its gradient."""

    class OfKnown(KnowledgeLoss):
        needs, accepts = ("mask",), ("mask_known",)

        def call(self, logits, mask, mask_known):
            term = ops.mean(ops.softplus(logits) * (1 - mask), axis=(1, 2))
            return ops.sum(term * mask_known, axis=-1) / ops.sum(mask_known, axis=-1)

    masks = (mask[..., None] * np.eye(CLASSES)[label][:, None, None]).astype("float32")
    masks[0, ..., 1:] = np.nan
    model, before = make_model(rate=0.1), make_model().get_weights()
    history = fit(
        model, x, {"label": label, "mask": masks}, [KnowledgeInjection(OfKnown())]
    )
    assert np.isfinite(history["of_known"]).all()
    after = model.get_weights()
    assert all(np.isfinite(weight).all() for weight in after)
    assert any(np.any(one != other) for one, other in zip(before, after, strict=True))


def _at(logits, masks):
    """Masks at the resolution of a map, `(N, H, W, K)`."""
    side = logits.shape[1]
    blocks = masks.reshape(SAMPLES, side, SIZE // side, side, SIZE // side, -1)
    return blocks.mean(axis=(2, 4))


@pytest.mark.torch_suffices
def test_several_classes_at_a_time(x, known, rng):
    label = rng.choice([0, 1], size=(SAMPLES, CLASSES))
    label[0], label[1] = 0, 1
    keras.utils.set_random_seed(1)
    model = compiled(
        keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 1)),
                layers.Conv2D(4, 3, padding="same", activation="relu"),
                LAPooling2D(2),
                GlobalLAPooling2D(concepts=CLASSES),
                layers.Dense(CLASSES, activation="sigmoid"),
            ]
        ),
        loss="binary_crossentropy",
    )
    targets = {"label": label, **known}
    logs = first(fit(model, x, targets, [KnowledgeInjection([*TERMS, Presence()])]))
    for term in (*TERMS, Presence()):
        values = by_hand(term, model, x, known, label)
        assert_close(logs[term.name], values.mean(), **ALLOWED)


@pytest.mark.torch_suffices
def test_attributes_need_no_classes(x, label, rng):
    """Neither as many as the layer has concepts, nor a single output."""
    inputs = keras.Input((SIZE, SIZE, 1))
    features = GlobalLAPooling2D(concepts=5)(layers.Conv2D(4, 3)(inputs))
    outputs = {name: layers.Dense(CLASSES, name=name)(features) for name in "ab"}
    model = compiled(
        keras.Model(inputs, outputs),
        loss=dict.fromkeys("ab", keras.losses.SparseCategoricalCrossentropy(True)),
    )
    attributes = rng.choice([0, 1], size=(SAMPLES, 5))
    targets = {"label": dict.fromkeys("ab", label), "concepts": attributes}
    logs = first(fit(model, x, targets, [KnowledgeInjection(ConceptLabels())]))
    with score_tape() as records:
        model(x)
    values = ConceptLabels()(records[0].logits, concepts=attributes)
    assert_close(logs["concept_labels"], ops.mean(values), **ALLOWED)


def difference(logits, boxes, mask):
    """Between the area of the first box and that of the mask."""
    top, left, bottom, right = ops.unstack(ops.clip(boxes[:, 0], 0, 1), 4, axis=-1)
    area = (bottom - top) * (right - left)
    return ops.abs(area - ops.mean(ops.max(mask, axis=-1), axis=(1, 2)))


@pytest.mark.torch_suffices
def test_boxes_lie_where_masks_do(x, label):
    """In layers that see a part of the image only; and functions are losses."""
    model = compiled(
        keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 1)),
                layers.Conv2D(4, 4, strides=2),
                LAPooling2D(2),
                layers.Conv2D(4, 2),
                GlobalLAPooling2D(concepts=CLASSES),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )
    )
    mask = np.zeros((SAMPLES, SIZE, SIZE))
    mask[:, 2:9, 7:] = 1
    boxes = np.full((SAMPLES, 1, 4), [2 / 16, 7 / 16, 9 / 16, 1])
    targets = {"label": label, "mask": mask, "boxes": boxes}
    logs = first(fit(model, x, targets, [KnowledgeInjection([difference])]))
    assert_close(logs["difference"], 0, 0, 1e-6)


@pytest.mark.torch_suffices
def test_each_layer_is_fitted_once_for_all_terms(x, label, mask, monkeypatch):
    module = importlib.import_module("keras_lap.injection.knowledge.mask")
    resize, sizes = module.resize_area, []

    def counted(maps, cells):
        sizes.append(len(cells[0]))
        return resize(maps, cells)

    monkeypatch.setattr(module, "resize_area", counted)
    terms = [MaskSupervision(), MaskSupervision("outside", name="outside"), difference]
    targets = {"label": label, "mask": mask, "boxes": np.ones((SAMPLES, 1, 4))}
    fit(make_model(), x, targets, [KnowledgeInjection(terms)])
    assert sizes == [SIZE // 2, SIZE]


def mean_inside(values, mask):
    """Undefined without a mask, and so is its gradient."""
    inside = ops.sum(values * mask, axis=(1, 2, 3))
    return inside / ops.sum(mask, axis=(1, 2, 3))


class MeanInside(CrossLayerLoss):
    needs = ("mask",)

    def call(self, layers):
        return sum(
            mean_inside(layer.logits, layer.knowledge["mask"]) for layer in layers
        )


class SlopeInside(InputGradientLoss):
    needs = ("mask",)

    def explained(self, predictions):
        return ops.log(predictions)

    def call(self, gradient, mask):
        return mean_inside(gradient, mask)


def of_logits(logits, mask):
    return mean_inside(logits, mask)


@pytest.mark.parametrize("loss", [of_logits, MeanInside(), SlopeInside()])
def test_terms_may_be_undefined_where_they_do_not_count(x, label, loss):
    number, found = np.arange(SAMPLES), []
    for inside in (1.0, 0.0):
        mask = np.ones((SAMPLES, SIZE, SIZE), "float32")
        mask[number < 2] = inside
        y = {"label": label, "mask": mask, "valid": number != 0}
        model, injection = make_model(rate=0.1), KnowledgeInjection(loss)
        weight = (number != 1).astype("float32")
        logs = fit(model, x, y, [injection], sample_weight=weight)
        found.append(first(logs)["loss"])
        found.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    assert np.isfinite(found[1]).all()
    assert_close(found[2], found[0], **ALLOWED)
    assert_close(found[3], found[1], **ALLOWED)


class MeanOfNamed(PerturbationLoss):
    def kept(self, maps):
        return maps

    def call(self, logits, present):
        return ops.sum(logits * present, axis=-1) / ops.sum(present, axis=-1)


def test_changed_images_may_be_undefined_where_they_do_not_count(x):
    label = np.eye(CLASSES)[np.arange(SAMPLES) % CLASSES]
    label[0] = 0
    weight = (np.arange(SAMPLES) > 0).astype("float32")
    model = make_model(loss="categorical_crossentropy")
    logs = fit(
        model, x, label, [KnowledgeInjection(MeanOfNamed())], sample_weight=weight
    )
    assert np.isfinite(first(logs)["loss"])
    assert all(np.isfinite(w).all() for w in model.get_weights())
