"""What says which concepts speak for which class, in every form."""

import numpy as np
import pytest

from keras_lap.utils.class_concepts import (
    class_concept_flags,
    standardize_class_concepts,
)


def flags(given, classes, concepts, **options):
    given = standardize_class_concepts(given)
    return class_concept_flags(given, classes, concepts, of="the model", **options)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64"])
def test_indices_of_any_integers(dtype):
    found = flags(np.array([0, 127], dtype), 2, 128)
    np.testing.assert_array_equal(found, np.eye(128)[[0, 127]])


@pytest.mark.parametrize("dtype", ["bool", "int32", "float64"])
def test_rows(dtype):
    rows = np.array([[1, 0, 1], [0, 0, 0]], dtype)
    found = flags(rows, 2, 3)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, rows)
    np.testing.assert_array_equal(flags(rows, None, 3), rows)


def test_more_concepts_than_are_known_of():
    assert flags([0, 4], 2, 2, exactly=False).shape == (2, 5)
    assert flags([0, 1], 2, 3, exactly=False).shape == (2, 3)
    assert flags(np.eye(2, 6), 2, 3, exactly=False).shape == (2, 6)
    with pytest.raises(ValueError, match=r"shape \(2, 7\+\).*\(2, 6\)"):
        flags(np.eye(2, 6), 2, 7, exactly=False)


@pytest.mark.parametrize("one, two", [([[1, 0]], [[0, 0], [1, 0]])])
def test_a_single_output_for_two_classes(one, two):
    for given in (one, two):
        np.testing.assert_array_equal(flags(given, 2, 2), two)
        np.testing.assert_array_equal(flags(given, 1, 2), one)
    np.testing.assert_array_equal(flags([1], 2, 2), [[0, 0], [0, 1]])


@pytest.mark.parametrize(
    "given",
    [
        3,
        [],
        np.zeros((0, 3), int),
        [[1, 0], [1]],
        [[0.5, 1]],
        [0.0, 1.0],
        [0, -1],
        [True, False],
        "highest",
        np.zeros((2, 2, 2)),
    ],
    ids=str,
)
def test_other_things_are_refused(given):
    with pytest.raises(ValueError, match=r"zeros and ones, or ints.*Received"):
        standardize_class_concepts(given)


@pytest.mark.parametrize(
    "given, received",
    [
        (np.eye(3), r"\(3, 3\)"),
        (np.eye(4, 3), r"\(4, 3\)"),
        ([0, 1, 2], r"\(3,\) with indices up to 2"),
        ([0, 1, 1, 10**12], r"\(4,\) with indices up to 10{12}"),
    ],
    ids=str,
)
def test_numbers_that_do_not_fit(given, received):
    expected = r"\(4, 4\), to fit the model, or one index .*\(4,\)"
    with pytest.raises(ValueError, match=rf"{expected}.*Received: .*{received}"):
        flags(given, 4, 4)
