"""Knowledge losses against loops over pixels in float64, and what they promise."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from knowledge_oracles import (
    KNOWLEDGE,
    SHAPES,
    every_loss,
    knowledge_for,
    oracle,
    softplus,
)
from tolerances import assert_close, tolerance

from keras_lap.injection.losses.knowledge_loss import masked_mean
from keras_lap.losses import (
    AreaPrior,
    BoxSupervision,
    ConceptLabels,
    Exclusivity,
    FunctionLoss,
    KnowledgeLoss,
    MaskSupervision,
    Presence,
)

pytestmark = pytest.mark.jax_too


@pytest.fixture(autouse=True)
def whole_losses(monkeypatch):
    """On JAX a loss is compiled as a whole, not every operation of it for itself."""
    if keras.config.backend() == "jax":
        import jax

        call = jax.jit(KnowledgeLoss.__call__, static_argnums=0)
        monkeypatch.setattr(
            KnowledgeLoss, "__call__", lambda loss, *args, **kw: call(loss, *args, **kw)
        )


@every_loss
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.one_in(1)
def test_equals_the_oracle(rng, loss, shape):
    logits = rng.normal(scale=3, size=shape).astype("float32")
    knowledge = knowledge_for(loss, shape, rng)
    actual = loss(logits, **knowledge)
    assert keras.backend.standardize_dtype(actual.dtype) == "float32"
    pixels = shape[1] * shape[2]
    allowed = tolerance("float32", 2 * pixels, 2 * softplus(np.abs(logits)).max())
    assert_close(actual, oracle(loss, logits, **knowledge), **allowed)


@every_loss
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.torch_suffices
def test_half_precision_is_computed_in_float32(rng, loss, dtype):
    shape = (4, 5, 4, 3)
    logits = ops.cast(rng.normal(scale=3, size=shape), dtype)
    knowledge = knowledge_for(loss, shape, rng)
    values = loss(logits, **knowledge)
    assert keras.backend.standardize_dtype(values.dtype) == "float32"
    assert_close(values, loss(ops.cast(logits, "float32"), **knowledge), 0, 0)


@every_loss
@pytest.mark.torch_suffices
def test_only_what_is_needed_is_needed(rng, loss):
    shape = (4, 5, 4, 3)
    logits = rng.normal(scale=3, size=shape).astype("float32")
    needed = set(loss.needs) | ({"present"} & set(loss.accepts))
    knowledge = {name: KNOWLEDGE[name](shape, rng) for name in needed}
    allowed = tolerance("float32", 2 * 20, 2 * softplus(np.abs(logits)).max())
    actual = loss(logits, **knowledge)
    assert_close(actual, oracle(loss, logits, **knowledge), **allowed)


@every_loss
@pytest.mark.torch_suffices
def test_survives_serialisation(rng, loss):
    loss = type(loss)(**{**loss.get_config(), "name": "renamed"})
    text = json.dumps(keras.saving.serialize_keras_object(loss))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(copy) is type(loss)
    assert copy.name == "renamed"
    assert copy.get_config() == loss.get_config()
    logits = rng.normal(size=(4, 5, 4, 3))
    knowledge = knowledge_for(loss, logits.shape, rng)
    assert_close(copy(logits, **knowledge), loss(logits, **knowledge), 0, 0)


def test_a_loss_may_say_otherwise_whether_it_compares_places():
    for kind, compares in ((MaskSupervision, True), (Presence, False)):
        loss, other = kind(), kind()
        other.compares_places = not compares
        assert (loss.compares_places, other.compares_places) == (compares, not compares)


def test_unknown_concepts_have_no_influence(rng):
    logits = rng.normal(size=(2, 5, 4, 3))
    present = np.array([[1, -1, 0], [-1, -1, -1]])
    values = ops.convert_to_numpy(Presence()(logits, present=present))
    assert values[1] == 0
    assert values[0] > 0
    changed = np.where((present < 0)[:, None, None], 7.0, logits)
    assert_close(Presence()(changed, present=present), values, 0, 0)


def test_presence_can_be_satisfied_by_the_top_pixels_alone():
    logits = np.full((1, 10, 10, 1), -20.0)
    logits[0, 3, :5] = 20
    loss = Presence(top_fraction=0.05)
    assert loss(logits, present=np.ones((1, 1)))[0] < 1e-6
    logits[0, 3, 4] = -20
    assert loss(logits, present=np.ones((1, 1)))[0] > 3


@pytest.mark.parametrize("mode", ["full", "outside"])
def test_concepts_without_a_mask_have_no_influence(rng, mode):
    logits, loss = rng.normal(size=(2, 5, 4, 3)), MaskSupervision(mode)
    mask = rng.choice([0.0, 1.0], size=(2, 5, 4, 3))
    known = np.array([[1, 0, 1], [0, 0, 0]])
    given = {"mask": mask, "mask_known": known}
    values = ops.convert_to_numpy(loss(logits, **given))
    assert_close(values[:1], loss(logits[..., ::2], mask=mask[..., ::2])[:1], 1e-6, 0)
    assert values[1] == 0
    changed = np.where(known[:, None, None], logits, 7.0)
    assert_close(loss(changed, **given), values, 0, 0)


@pytest.mark.parametrize("mode", ["full", "outside"])
def test_an_empty_mask_leaves_the_outside_term(rng, mode):
    logits = rng.normal(size=(1, 5, 4, 2))
    value = MaskSupervision(mode=mode)(logits, mask=np.zeros(logits.shape))
    assert_close(value, [np.mean(softplus(logits))], **tolerance("float32", 40, 10))


@pytest.mark.parametrize("mode", ["full", "outside"])
@pytest.mark.parametrize("rounding", [2.0**-24, 3e-4, -3e-4, 5e-3, -5e-3])
def test_a_full_mask_has_no_outside_even_when_rounded(mode, rounding):
    """As by TF32 and bfloat16, whichever way."""
    mask = np.full((1, 8, 8, 1), 1 - rounding, "float32")
    value = MaskSupervision(mode=mode)(np.full(mask.shape, 20.0), mask=mask)
    assert_close(value, [0], 0, 1e-6)


def test_outside_does_not_care_what_happens_inside(rng):
    mask = np.zeros((1, 6, 6, 1))
    mask[0, 1:4, 2:5] = rng.uniform(0.1, 1, size=(3, 3, 1))
    logits = rng.normal(size=mask.shape)
    loss = MaskSupervision(mode="outside")
    changed = np.where(mask > 0, rng.normal(size=mask.shape), logits)
    assert_close(loss(changed, mask=mask), loss(logits, mask=mask), 0, 0)


def test_a_small_object_counts_as_much_as_a_large_background():
    """Missing the object costs the same whether it has 1 pixel or half of the map."""
    costs = []
    for rows in (1, 8):
        mask = np.zeros((1, 16, 1, 1))
        mask[0, :rows] = 1
        costs.append(float(MaskSupervision()(np.full(mask.shape, -30.0), mask=mask)[0]))
    np.testing.assert_allclose(costs, 30 + 1, rtol=1e-6)


@pytest.mark.parametrize("share, factor", [(0.01, 1), (5e-5, 0.5), (0, 0)])
def test_regions_of_almost_nothing_count_in_proportion(share, factor):
    weights = ops.full((1, 4, 4, 1), share, dtype="float64")
    values = ops.full((1, 4, 4, 1), 3.0, dtype="float64")
    assert_close(masked_mean(values, weights), [[3 * factor]], 1e-6, 0)


# Exclusivity.


def test_only_declared_pairs_exclude_each_other(rng):
    logits = np.full((1, 2, 2, 3), -50.0)
    logits[..., [0, 2]] = 50
    assert_close(Exclusivity()(logits), [1], 1e-6, 0)
    assert_close(Exclusivity(pairs=[(2, 0)])(logits), [1], 1e-6, 0)
    assert_close(Exclusivity(pairs=[(0, 1), (1, 2)])(logits), [0], 0, 1e-6)


def test_pairs_are_unordered_and_count_once():
    assert Exclusivity(pairs=[(2, 0), (0, 1), (0, 2)]).pairs == [[0, 1], [0, 2]]


def test_refuses_pairs_that_the_layer_does_not_have():
    with pytest.raises(ValueError, match=r"(?s)Expected.*0 to 1.*Received.*\[0, 2\]"):
        Exclusivity(pairs=[(0, 2)])(np.zeros((1, 2, 2, 2)))


def test_a_single_concept_has_no_pairs():
    for loss in (Exclusivity(), Exclusivity(pairs=[(0, 2)])):
        assert_close(loss(np.zeros((2, 2, 2, 1))), [0, 0], 0, 0)


# AreaPrior.


def test_areas_within_the_bounds_are_free(rng):
    logits, present = rng.normal(size=(3, 4, 4, 2)), np.ones((3, 2))
    assert_close(AreaPrior(0, 1)(logits, present=present), np.zeros(3), 0, 0)
    share = np.mean(1 / (1 + np.exp(-logits)), axis=(1, 2))
    for offset, expected in ((0.01, 0.0), (-0.01, 1e-4)):
        area = np.stack([share - offset, share + offset], axis=-1)
        values = AreaPrior()(logits, present=present, area=area)
        # Both bounds are missed by the same where they are swapped.
        assert_close(values, np.full(3, 2 * expected), 0, 1e-7)


def test_bounds_of_a_sample_go_before_those_of_the_loss():
    logits, present = np.zeros((3, 4, 4, 1)), np.ones((3, 1))
    area = np.array([[[-1, 0.4]], [[np.nan, -1]], [[0.9, 1]]])
    values = AreaPrior(max_area=0.2)(logits, present=present, area=area)
    assert_close(values, [0.1**2, 0.3**2, 0.4**2], 1e-6, 0)


def test_areas_of_absent_concepts_do_not_matter(rng):
    logits, present = rng.normal(size=(1, 4, 4, 3)), np.array([[1, 0, -1]])
    loss = AreaPrior(max_area=0.1)
    assert_close(
        loss(logits, present=present), loss(logits[..., :1], present=[[1]]), 1e-6, 0
    )


def test_without_bounds_areas_must_be_given():
    assert AreaPrior().needs == ("present", "area")
    assert AreaPrior(min_area=0).needs == ("present",)
    assert AreaPrior(max_area=0.5).accepts == ("area",)


# BoxSupervision.


def filled(boxes, size=8, value=9.0):
    """Logits that are high in boxes given by pixels, of a single concept."""
    logits = np.full((1, size, size, 1), -value)
    for top, left, bottom, right in boxes:
        logits[0, top:bottom, left:right] = value
    return logits


def box_loss(logits, boxes, present=None, box_concepts=None, size=8):
    present = np.ones((1, logits.shape[-1])) if present is None else present
    given = {} if box_concepts is None else {"box_concepts": np.array([box_concepts])}
    boxes = np.array([boxes]) / size
    return float(BoxSupervision()(logits, boxes=boxes, present=present, **given)[0])


def test_boxes_have_concepts_of_their_own_or_those_of_a_label(rng):
    logits, boxes = rng.normal(size=(1, 8, 8, 3)), np.array([[[0, 0.25, 0.5, 1]]])
    with pytest.raises(ValueError, match=r"(?s)Expected.*'box_concepts'.*Received"):
        BoxSupervision()(logits, boxes=boxes)
    named = BoxSupervision()(logits, boxes=boxes, box_concepts=np.array([[1]]))
    present = np.array([[-1, 1, -1]])
    expected = BoxSupervision()(logits, boxes=boxes, present=present)
    assert_close(named, expected, 0, 0)
    unnamed = BoxSupervision()(logits, boxes=boxes, box_concepts=np.array([[-1]]))
    assert_close(unnamed, [0], 0, 0)


def test_a_cross_satisfies_a_box_and_less_does_not():
    box = [(1, 2, 5, 6)]
    cross = filled([(1, 3, 5, 4), (3, 2, 4, 6)])
    assert box_loss(cross, box) < 1e-3
    assert box_loss(filled(box), box) < 1e-3
    # One row of four is missed, and no column.
    cross[0, 1] = -9
    assert_close(box_loss(cross, box), 9 / 4 / 2, 1e-3, 0)


def test_what_lies_outside_of_all_boxes_costs():
    boxes = [(1, 1, 3, 3), (4, 4, 8, 8)]
    assert box_loss(filled(boxes), boxes) < 1e-3
    spilled = filled([*boxes, (0, 0, 1, 8)])
    assert_close(box_loss(spilled, boxes), 9 * 8 / (64 - 4 - 16), 1e-3, 0)


def test_padding_and_boxes_without_area_do_not_matter():
    box = (1, 2, 5, 6)
    paddings = [(-8, -8, -8, -8), (3, 3, 3, 6), (6, 6, 2, 7), (9, 9, 12, 12)]
    logits = filled([(1, 2, 3, 4)])
    expected = box_loss(logits, [box])
    assert expected > 1
    padded = box_loss(logits, [paddings[0], box, *paddings[1:]])
    assert_close(padded, expected, 1e-6, 0)
    beyond = [(1, 2, 12, 9)], [(1, 2, 8, 8)]
    assert box_loss(logits, beyond[0]) == box_loss(logits, beyond[1])


def test_a_box_smaller_than_a_pixel_claims_that_pixel():
    tiny = [(2.4, 3.4, 2.6, 3.6)]
    assert box_loss(filled([(2, 3, 3, 4)]), tiny) < 1e-3
    assert_close(box_loss(filled([]), tiny), 9, 1e-3, 0)


def test_edges_of_pixels_are_met_in_spite_of_rounding():
    """A box of thirds covers thirds, not a hair of the next pixels."""
    third = np.float32(1) / np.float32(3)
    boxes = np.array([[[third, third, 2 * third, 2 * third]]], "float32")
    logits = filled([(1, 1, 2, 2)], size=3)
    spilled = filled([(0, 0, 3, 3)], size=3)
    present = np.ones((1, 1))
    assert BoxSupervision()(logits, boxes=boxes, present=present)[0] < 1e-3
    assert_close(BoxSupervision()(spilled, boxes=boxes, present=present), [9], 1e-3, 0)


def test_each_concept_has_its_own_boxes(rng):
    boxes = [(0, 0, 4, 4), (4, 4, 8, 8)]
    logits = np.concatenate([filled([box]) for box in boxes], axis=-1)
    assert box_loss(logits, boxes, box_concepts=[0, 1]) < 1e-3
    assert box_loss(logits[..., ::-1], boxes, box_concepts=[0, 1]) > 9
    # Not known whose: either way is right.
    assert box_loss(logits, boxes, box_concepts=[-1, -1]) < 1e-3
    assert box_loss(logits[..., ::-1], boxes) < 1e-3


def test_concepts_without_a_box():
    """Present: may be anywhere. Absent: is nowhere."""
    box = [(0, 0, 4, 4)]
    logits = np.concatenate([filled(box), filled([(0, 0, 8, 8)])], axis=-1)
    for present, expected in (([[1, 1]], 0), ([[1, -1]], 0), ([[1, 0]], 9)):
        value = box_loss(logits, box, np.array(present), box_concepts=[0])
        assert_close(value, expected, 1e-3, 1e-3)


def test_concepts_that_are_not_boxed_are_left_alone(rng):
    logits = rng.normal(size=(1, 8, 8, 3))
    known = {"boxes": np.array([[[0, 0.25, 0.5, 1]]]), "present": np.array([[1, 0, 1]])}
    some = BoxSupervision(concepts=[2, 0])
    assert some.concepts == [0, 2]
    for numbers in ([[2]], [[-1]]):
        named = {**known, "box_concepts": np.array(numbers)}
        unknown = {**named, "present": np.array([[1, -1, 1]])}
        expected = BoxSupervision()(logits, **unknown)
        assert_close(some(logits, **named), expected, 0, 0)
    # Not even its own box makes it count.
    assert_close(some(logits, **{**known, "box_concepts": [[1]]}), [0], 0, 0)


@pytest.mark.parametrize("source", ["xyxy", "xywh", "center_yxhw", "rel_xyxy"])
def test_keras_converts_boxes_of_other_formats(rng, source):
    convert = keras.utils.bounding_boxes.convert_format
    size = {"height": 16, "width": 32}
    boxes = np.array([[[4.0, 2.0, 20.0, 14.0], [0, 0, 8, 8]]])
    given = convert(boxes, "xyxy", source, **size)
    given = np.append(given, np.full((1, 1, 4), -1), axis=1)
    actual = convert(given, source, "rel_yxyx", **size)
    expected = boxes[..., [1, 0, 3, 2]] / [16, 32, 16, 32]
    logits, present = rng.normal(size=(1, 8, 8, 1)), np.ones((1, 1))
    assert_close(
        BoxSupervision()(logits, boxes=actual, present=present),
        BoxSupervision()(logits, boxes=expected, present=present),
        1e-5,
        0,
    )


# Losses of a user's own.


class SmallArea(KnowledgeLoss):
    """A loss of a user's own."""

    needs = ("present",)

    def call(self, logits, present):
        return ops.mean(ops.sigmoid(logits), axis=(1, 2, 3)) * ops.max(present, axis=-1)


def test_a_loss_of_ones_own_needs_only_call():
    loss = SmallArea()
    assert loss.name == "small_area"
    assert SmallArea.from_config(loss.get_config()).name == "small_area"
    assert SmallArea(name="area").get_config() == {"name": "area"}
    values = loss(np.zeros((2, 4, 4, 3), "float16"), present=np.eye(3)[:2])
    assert keras.backend.standardize_dtype(values.dtype) == "float32"
    assert_close(values, [0.5, 0.5], 0, 0)


def test_a_loss_without_call_says_what_is_missing():
    class Empty(KnowledgeLoss):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty must implement `call"):
        Empty()(np.zeros((1, 2, 2, 1)))


@keras.saving.register_keras_serializable("test_knowledge_losses")
def sparsity(logits, present, area=None):
    assert area is None or area.shape == (2, 3, 2)
    return ops.mean(ops.sigmoid(logits), axis=(1, 2, 3)) * ops.max(present, axis=-1)


def test_a_function_is_a_loss():
    loss = FunctionLoss(sparsity)
    assert (loss.name, loss.needs, loss.accepts) == (
        "sparsity",
        ("present",),
        ("area",),
    )
    logits, present = np.zeros((2, 4, 4, 3), "float16"), np.eye(3)[:2]
    for given in ({}, {"area": np.zeros((2, 3, 2))}):
        values = loss(logits, present=present, **given)
        assert keras.backend.standardize_dtype(values.dtype) == "float32"
        assert_close(values, [0.5, 0.5], 0, 0)


def test_a_registered_function_survives_serialisation():
    loss = FunctionLoss(sparsity, name="other")
    text = json.dumps(keras.saving.serialize_keras_object(loss))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert isinstance(copy, FunctionLoss)
    assert (copy.fn, copy.name) == (sparsity, "other")


def mean_score(logits):
    return ops.mean(ops.sigmoid(logits))


def test_refuses_a_loss_that_is_not_per_sample():
    with pytest.raises(ValueError, match=r"(?s)Expected.*'mean_score'.*Received.*\(\)"):
        FunctionLoss(mean_score)(np.zeros((2, 4, 4, 3)))


REFUSED = {
    "no pixels": (Presence, {"top_fraction": 0}),
    "more than half": (Presence, {"top_fraction": 0.6}),
    "not a number": (Presence, {"top_fraction": float("nan")}),
    "a text": (Presence, {"top_fraction": "0.1"}),
    "no pixels with attributes": (ConceptLabels, {"top_fraction": 0}),
    "unknown mode": (MaskSupervision, {"mode": "inside"}),
    "no pairs": (Exclusivity, {"pairs": []}),
    "triples": (Exclusivity, {"pairs": [(0, 1, 2)]}),
    "a concept and itself": (Exclusivity, {"pairs": [(1, 1)]}),
    "negative concepts": (Exclusivity, {"pairs": [(-1, 1)]}),
    "half a concept": (Exclusivity, {"pairs": [(0, 1.5)]}),
    "not pairs": (Exclusivity, {"pairs": [0, 1]}),
    "pairs and more": (Exclusivity, {"pairs": [(0, 1), (1, 2, 3)]}),
    "pairs of names": (Exclusivity, {"pairs": [("a", 1)]}),
    "pairs of nothing": (Exclusivity, {"pairs": [(None, 1), (0, 1)]}),
    "no boxed concepts": (BoxSupervision, {"concepts": []}),
    "a boxed concept": (BoxSupervision, {"concepts": 1}),
    "negative boxed concepts": (BoxSupervision, {"concepts": [-1, 0]}),
    "flags of concepts": (BoxSupervision, {"concepts": [True, False]}),
    "concepts by name": (BoxSupervision, {"concepts": ["eye", 1]}),
    "rows of concepts": (BoxSupervision, {"concepts": [[0, 1]]}),
    "ragged concepts": (BoxSupervision, {"concepts": [[0], [1, 2]]}),
    "bounds out of order": (AreaPrior, {"min_area": 0.5, "max_area": 0.4}),
    "a bound that is a text": (AreaPrior, {"max_area": np.array("0.4")}),
    "more than all": (AreaPrior, {"max_area": 1.5}),
    "not an area": (AreaPrior, {"min_area": float("nan")}),
    "an area by name": (AreaPrior, {"max_area": "a"}),
    "a function without a name": (FunctionLoss, {"fn": lambda logits: logits}),
    "a function of nothing": (FunctionLoss, {"fn": lambda: 0, "name": "none"}),
    "logits by name": (FunctionLoss, {"fn": lambda *, z: z, "name": "named"}),
    "nothing but names": (FunctionLoss, {"fn": lambda **z: z, "name": "named"}),
    "knowledge by place": (FunctionLoss, {"fn": lambda z, mask, /: z, "name": "two"}),
    "any arguments": (FunctionLoss, {"fn": lambda z, *more: z, "name": "any"}),
    "any knowledge": (FunctionLoss, {"fn": lambda z, **more: z, "name": "any"}),
}


@pytest.mark.parametrize("make, arguments", REFUSED.values(), ids=REFUSED)
def test_refuses_bad_arguments(make, arguments):
    with pytest.raises(ValueError, match=r"(?s)Expected.*Received"):
        make(**arguments)
