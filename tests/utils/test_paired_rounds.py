"""Ratios of times are of the rounds that both were timed in."""

import pytest

from keras_lap.utils.paired_rounds import ratio_quartiles

pytestmark = pytest.mark.torch_suffices


def test_quartiles():
    seconds, baseline = {1: 4.0, 2: 3.0, 3: 16.0, 7: 1.0}, {1: 2.0, 2: 3.0, 3: 4.0}
    assert ratio_quartiles(seconds, baseline).tolist() == [1.5, 2, 3]
