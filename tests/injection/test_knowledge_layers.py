"""What is known about a batch, fitted to the pixels and concepts of one layer."""

import functools

import numpy as np
import pytest
from keras import backend, ops
from tolerances import assert_close, tolerance

from keras_lap.injection.knowledge import (
    FITTED,
    Knowledge,
    LayerKnowledge,
    default_class_concepts,
    present_concepts,
)
from keras_lap.injection.knowledge.check_concepts import check_concepts
from keras_lap.injection.places.even_cells import even_cells
from keras_lap.injection.places.resize_area import resize_area

pytestmark = pytest.mark.torch_too

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


def fitted(size=(4, 4), count=3, valid=None, cells=None, **given):
    """Knowledge of three classes, as a layer has it."""
    return LayerKnowledge(
        Knowledge(LABELS, given, valid or {}),
        even_cells(size) if cells is None else cells,
        count,
        functools.partial(default_class_concepts, 3, count),
    )


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


@pytest.mark.parametrize("outputs, state", [(None, 0), ("softmax", -1)])
def test_indices_of_no_class_name_nothing(outputs, state):
    """As those that a loss ignores; one class of several is there in any case."""
    matrix, expected = [[0, 0], [0, 1], [1, 0]], [[state] * 2, [0, 1], [0, 0]]
    for label in ([-1, 1, 0], [[255], [1], [0]]):
        present = present_concepts(np.array(label), matrix, outputs)
        assert_close(present, expected, 0, 0)


@pytest.mark.parametrize("size", [88, 104, 156, 196, 220])
def test_pixels_beside_a_mask_are_not_touched(size):
    """Wherever it ends, if it ends between two of the layer's pixels."""
    cells = even_cells((size // 4, 1))
    edges = np.arange(1, size // 4)
    masks = np.float32(np.arange(size) < 4 * edges[:, None])[..., None, None]
    small = ops.convert_to_numpy(resize_area(masks, cells))[..., 0, 0]
    assert_close(small, np.arange(size // 4) < edges[:, None], rtol=0, atol=1e-6)
    assert not small[np.arange(size // 4) >= edges[:, None]].any()


@pytest.mark.parametrize("label", LABEL_FORMS.values(), ids=LABEL_FORMS)
def test_present_concepts_by_form_of_the_label(label):
    present = present_concepts(label, np.eye(3))
    assert backend.standardize_dtype(present.dtype) == "float32"
    assert_close(present, PRESENT, 0, 0)


@pytest.mark.parametrize("label", LABEL_FORMS.values(), ids=LABEL_FORMS)
def test_present_concepts_of_classes_that_share_some(label):
    matrix = [[1, 0], [1, 1], [0, 0]]
    expected = [[0, 0], [1, 0], [1, 1]]
    assert_close(present_concepts(label, matrix), expected, 0, 0)


SOFT_LABELS = {
    "likeliest below a half": ([0.3, 0.45, 0.25], [0, 1, 0], [0, 0, 0]),
    "one above a half": ([0.1, 0.3, 0.6], [0, 0, 1], [0, 0, 1]),
    "two alike": ([0.4, 0.4, 0.2], [1, 1, 0], [0, 0, 0]),
    "all alike": ([1 / 3] * 3, [-1, -1, -1], [0, 0, 0]),
    "none": ([0, 0, 0], [-1, -1, -1], [0, 0, 0]),
    "not known": ([np.nan] * 3, [-1, -1, -1], [-1, -1, -1]),
    "one not known": ([0, 1, np.nan], [0, 1, 0], [0, 1, -1]),
    "one negative": ([0, 1, -1], [0, 1, 0], [0, 1, -1]),
    "several": ([1, 1, 0], [1, 1, 0], [1, 1, 0]),
}


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize(
    "label, exclusive, independent", SOFT_LABELS.values(), ids=SOFT_LABELS
)
def test_the_likeliest_of_classes_that_exclude_each_other_is_present(
    label, exclusive, independent, dtype
):
    label = np.array([label], dtype)
    for outputs, expected in (
        ("softmax", exclusive),
        ("sigmoid", independent),
        (None, independent),
    ):
        assert_close(present_concepts(label, np.eye(3), outputs), [expected], 0, 0)


def test_a_concept_of_several_present_classes_is_present_once():
    """It is not known where one of them is not, and none is known to be there."""
    label = [[1, 1, 0], [0, 0, 0], [1, 0, 1], [1, -1, 0], [-1, 0, 0]]
    matrix = [[1, 0], [1, 1], [0, 0]]
    expected = [[1, 1], [0, 0], [1, 0], [1, -1], [-1, 0]]
    assert_close(present_concepts(np.array(label), matrix), expected, 0, 0)


@pytest.mark.parametrize("label", [[0, 1, 1], [[0], [1], [1]], [[0.0], [1.0], [1.0]]])
def test_a_single_class_is_there_or_not(label):
    expected = [[0, 0], [1, 1], [1, 1]]
    assert_close(present_concepts(np.array(label), [[1, 1]]), expected, 0, 0)


@pytest.mark.parametrize(
    "outputs, of_minus_one", [("sigmoid", -1), (None, -1), ("hinge", 0)]
)
def test_whether_a_class_is_there_may_be_unknown(outputs, of_minus_one):
    """-1 says so too, but with a loss that takes it for absent."""
    label = np.array([np.nan, -1, 0, 1])
    expected = np.array([[-1, 0], [of_minus_one, 0], [0, 0], [1, 0]])
    assert_close(present_concepts(label, [[1, 0]], outputs), expected, 0, 0)
    rows = np.stack([label, np.zeros(4)], axis=1)
    assert_close(present_concepts(rows, np.eye(2), outputs), expected, 0, 0)


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


# Knowledge of one layer.


def test_what_there_is(rng):
    known = fitted(mask=rng.uniform(size=(3, 4, 4)))
    assert [name for name in FITTED if name in known] == [
        "present",
        "mask_known",
        "mask",
    ]
    assert_close(known["present"], PRESENT, 0, 0)


def test_each_kind_is_fitted_once(rng):
    known = fitted(mask=rng.uniform(size=(3, 4, 4)))
    assert known["mask"] is known["mask"]
    assert known["present"] is known["present"]


def test_labels_are_not_read_where_they_are_not_needed(rng):
    """So a layer may have the concepts of attributes instead of classes."""

    def no_classes():
        raise AssertionError

    given = {
        "mask": rng.uniform(size=(3, 4, 4, 5)),
        "boxes": rng.uniform(size=(3, 2, 4)),
        "box_concepts": np.zeros((3, 2)),
        "concepts": np.zeros((3, 5)),
        "area": np.zeros((3, 5, 2)),
    }
    for count in (1, 5):
        known = Knowledge(LABELS, given)
        known = LayerKnowledge(known, even_cells((2, 2)), count, no_classes)
        for name in given:
            assert backend.standardize_dtype(known[name].dtype) == "float32"


@pytest.mark.parametrize("axis", [False, True])
def test_a_mask_without_concepts_belongs_to_those_present(rng, axis):
    mask = rng.uniform(size=(3, 8, 8)).astype("float32")
    small = ops.convert_to_numpy(resize_area(mask[..., None], even_cells((4, 4))))
    actual = fitted(mask=mask[..., None] if axis else mask)["mask"]
    assert_close(actual, small * PRESENT[:, None, None, :], 0, 0)
    single = fitted(count=1, mask=mask[..., None] if axis else mask)["mask"]
    assert_close(single, small, 0, 0)


@pytest.mark.parametrize("count", [1, 3])
def test_a_mask_of_a_label_that_is_not_known_is_not_known(rng, count):
    label, mask = np.array([-1, 0, 2]), rng.uniform(size=(3, 4, 4))
    known = LayerKnowledge(
        Knowledge(label, {"mask": mask}, outputs="softmax"),
        even_cells((4, 4)),
        count,
        functools.partial(default_class_concepts, 3, count),
    )
    flags = np.repeat([[False], [True], [True]], count, axis=1)
    assert_close(known["mask_known"], flags, 0, 0)
    assert_close(known["mask"][0], np.zeros((4, 4, count)), 0, 0)


@pytest.mark.parametrize("label", [[1, 0, -1], [[0.2], [0.9], [7.5]], {"a": 1}])
def test_a_mask_for_the_one_concept_of_a_layer_needs_no_label(rng, label):
    mask = rng.uniform(size=(3, 8, 8, 1)).astype("float32")
    label = label if isinstance(label, dict) else np.array(label)
    known = Knowledge(label, {"mask": mask})
    known = LayerKnowledge(known, even_cells((4, 4)), 1, class_concepts=None)
    assert_close(known["mask"], resize_area(mask, even_cells((4, 4))), 0, 0)
    assert ("present" in known) is not isinstance(label, dict)


def test_masks_that_are_not_valid_are_not_known(rng):
    mask = rng.uniform(size=(3, 8, 8, 3)).astype("float32")
    known = Knowledge(LABELS, {"mask": mask}, {"mask": np.array([1, 0, 1])})
    known = LayerKnowledge(known, even_cells((4, 4)), 3, class_concepts=None)
    assert_close(known["mask_known"], [[True] * 3, [False] * 3, [True] * 3], 0, 0)
    assert_close(known["mask"][1], np.zeros((4, 4, 3)), 0, 0)


@pytest.mark.parametrize("outputs", ["sigmoid", "hinge"])
def test_a_last_axis_of_one_changes_nothing_where_the_label_is_of_classes(outputs, rng):
    mask = rng.uniform(size=(3, 8, 8)).astype("float32")
    given, label = (mask, mask[..., None]), np.array([0, 1, 1])
    plain, with_axis = (
        LayerKnowledge(
            Knowledge(label, {"mask": each}, outputs=outputs),
            even_cells((4, 4)),
            1,
            lambda: np.ones((1, 1), "float32"),
        )["mask"]
        for each in given
    )
    assert_close(with_axis, plain, 0, 0)
    assert_close(plain[0], np.zeros((4, 4, 1)), 0, 0)


def test_masks_with_concepts_are_taken_as_they_are(rng):
    mask = rng.uniform(size=(3, 8, 8, 3)).astype("float32")
    assert_close(fitted(mask=mask)["mask"], resize_area(mask, even_cells((4, 4))), 0, 0)


def test_a_single_concept_takes_the_union_of_masks(rng):
    mask = rng.choice([0.0, 1.0], size=(3, 8, 8, 3)).astype("float32")
    union = resize_area(mask.max(axis=-1, keepdims=True), even_cells((4, 4)))
    assert_close(fitted(count=1, mask=mask)["mask"], union, 0, 0)


def test_masks_that_hold_nan_are_unknown_concept_by_concept(rng):
    mask = rng.choice([0.0, 1.0], size=(3, 8, 8, 3)).astype("float32")
    mask[1, 2, 3, 0] = mask[2, ..., 1:] = np.nan
    known = ~np.isnan(mask).any(axis=(1, 2))
    filled = np.where(known[:, None, None], mask, 0)
    several, single = fitted(mask=mask), fitted(count=1, mask=mask)
    assert_close(several["mask"], resize_area(filled, even_cells((4, 4))), 0, 0)
    assert_close(several["mask_known"], known, 0, 0)
    union = filled.max(axis=-1, keepdims=True)
    assert_close(single["mask"], resize_area(union, even_cells((4, 4))), 0, 0)
    assert_close(single["mask_known"], [[True], [False], [False]], 0, 0)
    of_label = fitted(mask=mask[..., 0])["mask_known"]
    assert_close(of_label, [[True] * 3, [False] * 3, [True] * 3], 0, 0)


def test_refuses_masks_of_other_concepts_than_the_layers():
    with pytest.raises(ValueError, match=r"(?s)'mask' of 3 .*Received.* 2"):
        fitted(mask=np.zeros((3, 8, 8, 2)))["mask"]


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
    expected = fitted((3, 3), mask=inside.astype("float32"))["mask"]
    assert_close(fitted((3, 3), mask=scale(inside))["mask"], expected, 0, 0)


def box(*sides):
    """The same box in each of the three images."""
    return np.full((3, 1, 4), sides)


GRIDS = {
    "even": ([[0, 0.5], [0.5, 1]], [[0, 0.5], [0.5, 1]], [0.25, 0.5, 0.75, 1]),
    "inner part": ([[0.25, 0.5], [0.5, 0.75]], [[0, 1]], [0, 0.5, 1, 1]),
    "beyond": ([[-0.5, 0.5], [0.5, 1.5]], [[0, 1]], [0.375, 0.5, 0.625, 1]),
    "one pixel": ([[0.25, 0.75]], [[-1, 1]], [0, 0.75, 1, 1]),
}


@pytest.mark.parametrize("rows, columns, expected", GRIDS.values(), ids=GRIDS)
def test_boxes_lie_where_the_layers_pixels_do(rows, columns, expected):
    cells = np.array(rows), np.array(columns)
    actual = fitted(cells=cells, boxes=box(0.25, 0.5, 0.75, 1))["boxes"]
    assert_close(ops.clip(actual, 0, 1), box(*expected), 1e-6, 0)


def test_boxes_end_with_the_image():
    """And not where a layer's pixels do, some of which may reach beyond it."""
    cells = [np.array([[-0.5, 0.5], [0.5, 1.5]])] * 2
    actual = fitted(cells=cells, boxes=box(-3, 0, 7, 1))["boxes"]
    assert_close(actual, box(0.25, 0.25, 0.75, 0.75), 1e-6, 0)


@pytest.mark.parametrize("sides", [(-1,) * 4, (0.2, 0.6, 0.2, 0.9), (2, 0, 3, 1)])
def test_boxes_without_area_stay_so(sides):
    cells = [np.array([[-0.1, 0.45], [0.45, 1]])] * 2
    top, left, bottom, right = fitted(cells=cells, boxes=box(*sides))["boxes"][0, 0]
    assert bottom == top or left == right


def test_concepts_of_boxes():
    numbers = np.array([[0, 2], [1, -1], [-1, -1]])
    assert_close(fitted(box_concepts=numbers)["box_concepts"], numbers, 0, 0)
    expected = np.array([[0, 0], [0, -1], [-1, -1]])
    actual = fitted(count=1, box_concepts=numbers)["box_concepts"]
    assert_close(actual, expected, 0, 0)


ATTRIBUTES = np.array([[1, 0, -1], [0, -1, 0.2], [0, 0, 0], [np.nan, -7, 0.9]])


def test_attributes_are_there_or_not_or_not_known():
    expected = [[1, 0, -1], [0, -1, 0], [0, 0, 0], [-1, -1, 1]]
    assert_close(fitted(concepts=ATTRIBUTES)["concepts"], expected, 0, 0)


def test_a_single_concept_is_any_of_the_attributes():
    # Where some are not known and none else is there, one of those may be.
    actual = fitted(count=1, concepts=ATTRIBUTES)["concepts"]
    assert_close(actual, [[1], [-1], [0], [1]], 0, 0)


def test_bounds_of_areas():
    area = np.array([[[0.1, np.nan], [-1, 0.4], [-0.5, 1]]] * 3)
    expected = np.array([[[0.1, -1], [-1, 0.4], [-1, 1]]] * 3)
    assert_close(fitted(area=area)["area"], expected, 1e-7, 0)
    assert_close(fitted(count=1, area=area[:, :1])["area"], expected[:, :1], 1e-7, 0)


def test_the_area_of_any_of_several_concepts_is_not_known(rng):
    area = rng.uniform(size=(3, 3, 2))
    assert_close(fitted(count=1, area=area)["area"], np.full((3, 1, 2), -1), 0, 0)


def test_numbers_of_concepts_that_the_data_will_tell_are_not_checked():
    check_concepts("concepts", None, fitted())


@pytest.mark.parametrize("name, shape", [("concepts", (3, 2)), ("area", (3, 2, 2))])
def test_refuses_other_concepts_than_the_layers(name, shape):
    with pytest.raises(ValueError, match=rf"(?s)Expected.*{name}.* 3 .*Received.* 2"):
        fitted(**{name: np.zeros(shape)})[name]


@pytest.mark.parametrize("content", [np.nan, np.inf, -1.0, 255.0])
def test_what_is_not_valid_is_not_read(rng, content):
    mask = rng.uniform(size=(3, 8, 8)).astype("float32")
    flags = np.array([True, False, True])
    mask[1] = content
    expected = fitted((3, 3), mask=np.where(flags[:, None, None], mask, 0))["mask"]
    actual = fitted((3, 3), mask=mask, valid={"mask": flags})["mask"]
    assert_close(actual, expected, 0, 0)


@pytest.mark.parametrize("content", [np.nan, np.inf, 0.5])
@pytest.mark.parametrize(
    "name, shape",
    [("boxes", (3, 2, 4)), ("box_concepts", (3, 2)), ("area", (3, 3, 2))],
)
def test_other_knowledge_that_is_not_valid_is_not_read(content, name, shape):
    values = np.ones(shape)
    values[1] = content
    flags = np.array([[True], [False], [True]])
    actual = fitted(valid={name: flags}, **{name: values})[name]
    values[1] = -1
    assert_close(actual, fitted(**{name: values})[name], 0, 0)
