"""Labels of every form, brought into one."""

import numpy as np
import pytest

from keras_lap.classifier.labels import standardize_labels

pytestmark = pytest.mark.torch_suffices


@pytest.mark.parametrize(
    "given, expected",
    [
        ([[1, np.nan], [-1, 0]], [[1, -1], [-1, 0]]),
        ([[2], [np.nan]], [2, -1]),
    ],
)
def test_what_is_nan_is_not_known(given, expected):
    labels = standardize_labels(np.array(given, "float32"))
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, expected)


def test_measurements_are_no_labels():
    with pytest.raises(ValueError, match="as whole numbers"):
        standardize_labels([0.5, np.nan])
