"""What is known about a batch, and how it is fitted to one layer."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from tolerances import assert_close, tolerance

from keras_lap.injection.knowledge import (
    Knowledge,
    default_class_concepts,
    even_cells,
    layer_knowledge,
    present_concepts,
    resize_area,
    split_targets,
)

LABELS = np.array([2, 0, 1])
PRESENT = np.eye(3, dtype="float32")[LABELS]
SIZES = [
    ((8, 8), (4, 4)),
    ((6, 9), (2, 3)),
    ((5, 7), (3, 2)),
    ((100, 7), (7, 3)),
    ((3, 3), (7, 5)),
    ((4, 5), (1, 1)),
    ((1, 1), (2, 3)),
]
MAPS_ALLOWED = tolerance("float32", 100)


def overlap(i, source, target, j):
    """Length of target pixel `j` that lies on source pixel `i`, in source pixels."""
    low, high = j * source / target, (j + 1) * source / target
    return max(min(high, i + 1) - max(low, i), 0)


def area_oracle(image, size):
    """Mean of an image `(H, W)` over the area of every new pixel, pixel by pixel."""
    (height, width), (rows, columns) = image.shape, size
    result = np.zeros(size)
    for y, x in np.ndindex(*size):
        for i, j in np.ndindex(*image.shape):
            area = overlap(i, height, rows, y) * overlap(j, width, columns, x)
            result[y, x] += image[i, j] * area
    return result * rows * columns / (height * width)


def known(mask=None, valid=None):
    flags = {} if valid is None else {"mask": valid}
    return Knowledge(label=LABELS, mask=mask, valid=flags)


def fitted_mask(knowledge, size, concepts=3, classes=3):
    matrix = default_class_concepts(classes, concepts)
    return layer_knowledge(knowledge, even_cells(size), matrix, ("mask",))["mask"]


# Resizing.


@pytest.mark.parametrize("source, target", SIZES)
def test_resize_area_equals_the_oracle(rng, source, target):
    maps = rng.uniform(size=(2, *source, 3)).astype("float32")
    expected = [
        np.stack([area_oracle(image[..., k], target) for k in range(3)], axis=-1)
        for image in np.float64(maps)
    ]
    assert_close(
        resize_area(maps, even_cells(target)), np.stack(expected), **MAPS_ALLOWED
    )


def test_resize_area_to_a_divisor_is_the_mean_of_blocks(rng):
    maps = rng.uniform(size=(2, 6, 8, 3)).astype("float32")
    blocks = maps.reshape(2, 3, 2, 2, 4, 3).mean(axis=(2, 4))
    assert_close(resize_area(maps, even_cells((3, 2))), blocks, **MAPS_ALLOWED)


def test_resize_area_to_the_same_size_changes_nothing(rng):
    maps = rng.uniform(size=(2, 6, 7, 3)).astype("float32")
    assert_close(resize_area(maps, even_cells((6, 7))), maps, 0, 0)


@pytest.mark.parametrize("source, target", SIZES)
def test_resize_area_keeps_the_mean_and_exact_zeros(rng, source, target):
    maps = rng.uniform(size=(2, *source, 3)).astype("float32")
    maps[..., 1] = 0
    small = ops.convert_to_numpy(resize_area(maps, even_cells(target)))
    assert_close(small.mean(axis=(1, 2)), maps.mean(axis=(1, 2)), **MAPS_ALLOWED)
    assert not small[..., 1].any()


def test_resize_area_of_unknown_sizes(rng):
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 2]),
            tf.TensorSpec(2, tf.int32),
        ]
    )
    def resize(maps, size):
        return resize_area(maps, even_cells((size[0], size[1])))

    for source, target in SIZES:
        maps = rng.uniform(size=(2, *source, 2)).astype("float32")
        actual = resize(maps, target)
        assert_close(actual, resize_area(maps, even_cells(target)), **MAPS_ALLOWED)


def test_cells_may_lie_off_the_maps():
    maps = np.float32([[1, 2, 3, 4]])[..., None, None]
    columns = [[-0.5, 0.0], [-0.25, 0.25], [0.125, 0.625], [0.75, 1.5]]
    resized = resize_area(maps.reshape(1, 1, 4, 1), ([[0.0, 1.0]], columns))
    assert_close(resized[0, 0, :, 0], [0, 1, 2, 4], **MAPS_ALLOWED)


# Labels and concepts.

LABEL_FORMS = {
    "indices": LABELS,
    "column of indices": LABELS[:, None],
    "float indices": LABELS.astype("float32"),
    "one-hot": np.eye(3)[LABELS],
    "integer one-hot": np.eye(3, dtype="int64")[LABELS],
    "smoothed one-hot": np.eye(3)[LABELS] * 0.8 + 0.1,
}


@pytest.mark.parametrize("label", LABEL_FORMS.values(), ids=LABEL_FORMS)
def test_present_concepts_by_form_of_the_label(label):
    present = present_concepts(label, np.eye(3))
    assert present.dtype == "float32"
    assert_close(present, PRESENT, 0, 0)


@pytest.mark.parametrize("label", LABEL_FORMS.values(), ids=LABEL_FORMS)
def test_present_concepts_of_classes_that_share_some(label):
    matrix = [[1, 0], [1, 1], [0, 0]]
    expected = [[0, 0], [1, 0], [1, 1]]
    assert_close(present_concepts(label, matrix), expected, 0, 0)


def test_a_concept_of_several_present_classes_is_present_once():
    label = [[1, 1, 0], [0, 0, 0], [1, 0, 1]]
    matrix = [[1, 0], [1, 1], [0, 0]]
    expected = [[1, 1], [0, 0], [1, 0]]
    assert_close(present_concepts(np.array(label), matrix), expected, 0, 0)


@pytest.mark.parametrize("label", [[0, 1, 1], [[0], [1], [1]], [[-1.0], [1.0], [1.0]]])
def test_a_single_class_is_there_or_not(label):
    expected = [[0, 0], [1, 1], [1, 1]]
    assert_close(present_concepts(np.array(label), [[1, 1]]), expected, 0, 0)


@pytest.mark.parametrize("shape", [(4, 2), (4, 3, 1), ()])
@pytest.mark.parametrize("classes", [1, 3])
def test_refuses_labels_of_another_shape(shape, classes):
    with pytest.raises(ValueError, match=r"(?s)Expected labels.*Received"):
        present_concepts(np.zeros(shape), np.eye(classes))


def test_default_class_concepts():
    np.testing.assert_array_equal(default_class_concepts(3, 3), np.eye(3))
    np.testing.assert_array_equal(default_class_concepts(3, 1), np.ones((3, 1)))
    np.testing.assert_array_equal(default_class_concepts(1, 1), [[1]])
    with pytest.raises(ValueError, match=r"(?s)Expected.*`class_concepts`.*\(3, 2\)"):
        default_class_concepts(3, 2)


# Targets.


def test_a_label_alone_is_all_there_is():
    knowledge = split_targets(LABELS)
    assert knowledge.label is LABELS
    assert (knowledge.mask, knowledge.valid) == (None, {})
    assert knowledge.missing(("present",)) is None
    assert knowledge.missing(("present", "mask")) == "mask"


@pytest.mark.parametrize(
    "wrap",
    [lambda flags: flags, lambda flags: {"mask": flags}],
    ids=["for all knowledge", "for masks"],
)
def test_a_dict_is_taken_apart(wrap):
    mask, flags = np.zeros((3, 4, 4)), np.array([1, 0, 1])
    knowledge = split_targets({"label": LABELS, "mask": mask, "valid": wrap(flags)})
    assert knowledge.label is LABELS
    assert knowledge.mask is mask
    assert knowledge.valid == {"mask": flags}
    assert knowledge.missing(("mask",)) is None


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


VALUES = np.array([1.0, 2.0, 3.0], "float32")


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
@pytest.mark.parametrize("dtype", ["bool", "int32", "float64"])
def test_samples_count_by_their_flags_and_weights(shape, dtype):
    flags = np.array([1, 0, 1], dtype).reshape(shape)
    weights = np.array([0.5, 7, 2]).reshape(shape)
    knowledge = known(valid=flags)
    assert_close(knowledge.counts((), None, VALUES), [1, 1, 1], 0, 0)
    assert_close(knowledge.counts(("present",), weights, VALUES), [0.5, 7, 2], 0, 0)
    assert_close(knowledge.counts(("mask",), None, VALUES), [1, 0, 1], 0, 0)
    assert_close(knowledge.counts(("mask",), weights, VALUES), [0.5, 0, 2], 0, 0)


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


@pytest.mark.parametrize("mask, images", FITTING.values(), ids=FITTING)
def test_masks_that_fit(mask, images):
    known(np.zeros(mask)).check_against(np.zeros(images))


@pytest.mark.parametrize("mask, images", NOT_FITTING.values(), ids=NOT_FITTING)
def test_refuses_masks_that_do_not_fit(mask, images):
    with pytest.raises(ValueError, match=r"(?s)Expected.*mask.*Received"):
        known(np.zeros(mask)).check_against(np.zeros(images))


def test_channels_first_images_have_their_size_elsewhere():
    images, masks = np.zeros((2, 3, 8, 6)), known(np.zeros((2, 8, 6)))
    masks.check_against(images, "channels_first")
    with pytest.raises(ValueError, match="aspect"):
        masks.check_against(images)


def test_sizes_not_known_in_a_graph_are_not_checked():
    @tf.function(input_signature=[tf.TensorSpec([None] * 4), tf.TensorSpec([None] * 3)])
    def check(images, mask):
        known(mask).check_against(images)
        return True

    assert check(np.zeros((2, 8, 6, 3)), np.zeros((1, 6, 8)))


def test_without_masks_anything_fits():
    known().check_against({"image": np.zeros((2, 8, 6, 3))})


# Knowledge of one layer.


def test_only_what_is_asked_for(rng):
    knowledge = known(rng.uniform(size=(3, 4, 4)))
    for names in [(), ("present",), ("mask",), ("mask", "present")]:
        fitted = layer_knowledge(knowledge, even_cells((2, 2)), np.eye(3), names)
        assert tuple(fitted) == names
    assert_close(fitted["present"], PRESENT, 0, 0)


@pytest.mark.parametrize("axis", [False, True])
def test_a_mask_without_concepts_belongs_to_those_present(rng, axis):
    mask = rng.uniform(size=(3, 8, 8)).astype("float32")
    small = ops.convert_to_numpy(resize_area(mask[..., None], even_cells((4, 4))))
    actual = fitted_mask(known(mask[..., None] if axis else mask), (4, 4))
    assert_close(actual, small * PRESENT[:, None, None, :], 0, 0)
    single = fitted_mask(known(mask[..., None] if axis else mask), (4, 4), concepts=1)
    assert_close(single, small, 0, 0)


def test_masks_with_concepts_are_taken_as_they_are(rng):
    mask = rng.uniform(size=(3, 8, 8, 3)).astype("float32")
    assert_close(
        fitted_mask(known(mask), (4, 4)), resize_area(mask, even_cells((4, 4))), 0, 0
    )


def test_a_single_concept_takes_the_union_of_masks(rng):
    mask = rng.choice([0.0, 1.0], size=(3, 8, 8, 3)).astype("float32")
    union = resize_area(mask.max(axis=-1, keepdims=True), even_cells((4, 4)))
    assert_close(fitted_mask(known(mask), (4, 4), concepts=1), union, 0, 0)


def test_refuses_masks_of_other_concepts_than_the_layers():
    with pytest.raises(ValueError, match=r"(?s)Expected masks of 3 .*Received.* 2"):
        fitted_mask(known(np.zeros((3, 8, 8, 2))), (4, 4))


SCALES = {
    "0 and 255": lambda inside: np.where(inside, 255, 0).astype("uint8"),
    "float 0 and 255": lambda inside: np.where(inside, 255.0, 0.0),
    "-1 and 1": lambda inside: np.where(inside, 1.0, -1.0),
    "object number": lambda inside: np.where(inside, 7, -1).astype("int32"),
    "bool": lambda inside: inside,
    "float16": lambda inside: inside.astype("float16"),
}


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_masks_on_another_scale_mean_the_same(rng, scale):
    inside = rng.choice([False, True], size=(3, 8, 8, 3))
    expected = fitted_mask(known(inside.astype("float32")), (3, 3))
    assert_close(fitted_mask(known(scale(inside)), (3, 3)), expected, 0, 0)


@pytest.mark.parametrize("content", [np.nan, np.inf, -1.0, 255.0])
def test_what_is_not_valid_is_not_read(rng, content):
    mask = rng.uniform(size=(3, 8, 8)).astype("float32")
    flags = np.array([True, False, True])
    mask[1] = content
    expected = fitted_mask(known(np.where(flags[:, None, None], mask, 0)), (3, 3))
    assert_close(fitted_mask(known(mask, flags), (3, 3)), expected, 0, 0)
