"""What is known about a batch, and which of its samples."""

import numpy as np
import pytest
from tolerances import assert_close

from keras_lap.injection.knowledge import Knowledge, split_targets

pytestmark = pytest.mark.jax_too

LABELS = np.array([2, 0, 1])


GIVEN = {
    "mask": np.zeros((3, 4, 4)),
    "boxes": np.full((3, 2, 4), [0, 0, 1, 1]),
    "box_concepts": np.zeros((3, 2)),
    "concepts": np.zeros((3, 5)),
    "area": np.zeros((3, 5, 2)),
}


# Targets.


def test_a_label_alone_is_all_there_is():
    knowledge = split_targets(LABELS)
    assert knowledge.label is LABELS
    assert (knowledge.given, knowledge.valid) == ({}, {})
    assert knowledge.missing(("present",)) is None
    assert knowledge.missing(("present", "mask")) == "mask"


@pytest.mark.parametrize("name", GIVEN)
def test_a_dict_is_taken_apart(name):
    value, flags = GIVEN[name], np.array([1, 0, 1])
    targets = {"label": LABELS, name: value, "valid": {name: flags}}
    knowledge = split_targets(targets)
    assert knowledge.label is LABELS
    assert knowledge.given == {name: value}
    assert knowledge.valid == {name: flags}
    assert knowledge.missing((name, "present")) is None


def test_none_is_not_knowledge():
    assert split_targets({"label": LABELS, "mask": None}).missing(("mask",)) == "mask"


def test_flags_alone_are_for_all_kinds():
    flags = np.array([1, 0, 1])
    knowledge = split_targets({"label": LABELS, **GIVEN, "valid": flags})
    assert knowledge.valid == dict.fromkeys(GIVEN, flags)
    assert knowledge.missing((*GIVEN, "present")) is None


@pytest.mark.parametrize(
    "targets",
    [
        {},
        {"mask": 0},
        {"label": 0, "masks": 0},
        {"label": 0, "mask": 0, "valid": {"masks": 0}},
    ],
)
def test_refuses_unknown_and_missing_keys(targets):
    with pytest.raises(ValueError, match=r"(?s)Expected.*Received keys"):
        split_targets(targets)


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
@pytest.mark.parametrize("dtype", ["bool", "int32", "float64"])
def test_samples_count_by_their_flags_and_weights(shape, dtype):
    flags = np.array([1, 0, 1], dtype).reshape(shape)
    weights = np.array([0.5, 7, 2]).reshape(shape)
    knowledge = Knowledge(LABELS, valid={"mask": flags})
    assert_close(knowledge.counts((), None, 3), [1, 1, 1], 0, 0)
    assert_close(knowledge.counts(("present",), weights, 3), [0.5, 7, 2], 0, 0)
    assert_close(knowledge.counts(("mask",), None, 3), [1, 0, 1], 0, 0)
    assert_close(knowledge.counts(("mask",), weights, 3), [0.5, 0, 2], 0, 0)


def test_samples_count_by_the_mean_weight_of_outputs_and_pixels():
    pixels, samples = np.arange(12.0).reshape(3, 2, 2), np.array([0.5, 1, 1.5])
    for others, expected in (samples, [1, 3.25, 5.5]), (None, [1.25, 3.25, 5.25]):
        counts = Knowledge(LABELS).counts((), {"map": pixels, "class": others}, 3)
        assert_close(counts, expected, 0, 0)


PADDING = [-1.0, -1, -1, -1]
SAYS_NOTHING = {
    "boxes": [
        [PADDING, [0, 0.5, 0.1, 1]],
        [PADDING, PADDING],
        [[1, 0, 2, 1], [0.5, 0, 0.5, 1]],
    ],
    "concepts": [[-1, 0.0], [-1, -1], [np.nan, -1]],
    "area": [[[-1, 0.5], [-1, -1]], np.full((2, 2), -1.0), np.full((2, 2), np.nan)],
}


@pytest.mark.parametrize("name", SAYS_NOTHING)
def test_samples_of_which_nothing_is_known_do_not_count(name):
    knowledge = Knowledge(LABELS, {name: np.array(SAYS_NOTHING[name])})
    assert_close(knowledge.counts((name,), None, 3), [1, 0, 0], 0, 0)
    assert_close(knowledge.counts((), None, 3), [1, 1, 1], 0, 0)


def test_a_mask_of_one_concept_that_is_known_is_enough_to_count():
    mask = np.zeros((3, 4, 4, 2))
    mask[1, 2, 3, 0] = mask[2, 0, 0] = np.nan
    counts = Knowledge(LABELS, {"mask": mask}).counts(("mask",), None, 3)
    assert_close(counts, [1, 1, 0], 0, 0)
    counts = Knowledge(LABELS, {"mask": mask[..., 0]}).counts(("mask",), None, 3)
    assert_close(counts, [1, 0, 0], 0, 0)


@pytest.mark.parametrize("dtype", ["bool", "uint8"])
def test_attributes_without_unknowns_may_be_of_any_dtype(dtype):
    knowledge = Knowledge(LABELS, {"concepts": np.eye(3).astype(dtype)})
    assert_close(knowledge.counts(("concepts",), None, 3), [1, 1, 1], 0, 0)


def test_masks_without_pixels_count():
    knowledge = Knowledge(LABELS, {"mask": np.zeros((3, 4, 4))})
    assert_close(knowledge.counts(("mask",), None, 3), [1, 1, 1], 0, 0)


# Masks against images.

FITTING = {
    "same size": ((2, 8, 6), (2, 8, 6, 3)),
    "with concepts": ((2, 8, 6, 5), (2, 8, 6, 3)),
    "coarser": ((2, 4, 3), (2, 8, 6, 3)),
    "rounded to whole pixels": ((2, 33, 100), (2, 100, 300, 3)),
    "rounded the other way": ((2, 100, 33), (2, 300, 100, 3)),
    "finer": ((2, 32, 24), (2, 8, 6, 3)),
    "features": ((2, 8, 6), (2, 7)),
}
NOT_FITTING = {
    "transposed": ((2, 6, 8), (2, 8, 6, 3)),
    "cut off": ((2, 8, 7), (2, 8, 6, 3)),
    "too few axes": ((8, 6), (2, 8, 6, 3)),
    "too many axes": ((2, 8, 6, 3, 1), (2, 8, 6, 3)),
    "too many axes, for features": ((2, 8, 6, 3, 1), (2, 7)),
    "another batch": ((1, 8, 6), (2, 8, 6, 3)),
}


def masks(mask):
    return Knowledge(LABELS, {"mask": mask})


@pytest.mark.parametrize("mask, images", FITTING.values(), ids=FITTING)
def test_masks_that_fit(mask, images):
    masks(np.zeros(mask)).check_against(np.zeros(images), "channels_last")


@pytest.mark.parametrize("mask, images", NOT_FITTING.values(), ids=NOT_FITTING)
def test_refuses_masks_that_do_not_fit(mask, images):
    with pytest.raises(ValueError, match=r"(?s)Expected.*mask.*Received"):
        masks(np.zeros(mask)).check_against(np.zeros(images), "channels_last")


def test_channels_first_images_have_their_size_elsewhere():
    images, known = np.zeros((2, 3, 8, 6)), masks(np.zeros((2, 8, 6)))
    known.check_against(images, "channels_first")
    with pytest.raises(ValueError, match="aspect"):
        known.check_against(images, "channels_last")


def test_without_masks_anything_fits():
    Knowledge(LABELS).check_against({"image": np.zeros((2, 8, 6, 3))}, "channels_last")


# Other knowledge against images.


def test_all_kinds_fit():
    images = np.zeros((3, 8, 8, 1))
    split_targets({"label": LABELS, **GIVEN}).check_against(images, "channels_last")


NOT_FITTING_KINDS = {
    "boxes without an axis": {"boxes": np.zeros((3, 4))},
    "boxes of other sides": {"boxes": np.zeros((3, 2, 5))},
    "boxes of another batch": {"boxes": np.zeros((2, 2, 4))},
    "one-hot concepts of boxes": {**GIVEN, "box_concepts": np.zeros((3, 2, 5))},
    "concepts of other boxes": {**GIVEN, "box_concepts": np.zeros((3, 4))},
    "concepts of no boxes": {"box_concepts": np.zeros((3, 2))},
    "concept numbers": {"concepts": np.zeros(3)},
    "concepts of another batch": {"concepts": np.zeros((1, 5))},
    "areas of one bound": {"area": np.zeros((3, 5))},
    "areas of three bounds": {"area": np.zeros((3, 5, 3))},
}


@pytest.mark.parametrize("given", NOT_FITTING_KINDS.values(), ids=NOT_FITTING_KINDS)
def test_refuses_what_does_not_fit(given):
    with pytest.raises(ValueError, match=r"(?s)Expected.*Received"):
        Knowledge(LABELS, given).check_against(np.zeros((3, 8, 8, 1)), "channels_last")
