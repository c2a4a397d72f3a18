import dataclasses
import math

import numpy as np
import pytest

from keras_lap.evaluation import Curve, MetricResult


class TestMetricResult:
    def test_mean_and_counts(self):
        result = MetricResult([0.25, np.nan, 0.75])
        assert (result.mean, result.counted, result.left_out) == (0.5, 2, 1)
        assert repr(result) == "MetricResult(mean=0.5, counted=2, left_out=1)"

    def test_is_frozen_and_keeps_a_copy(self):
        values = np.array([1.0, 2.0])
        result = MetricResult(values)
        values[0] = 9
        assert result.values[0] == 1
        with pytest.raises(ValueError, match="read-only"):
            result.values[0] = 9
        with pytest.raises(dataclasses.FrozenInstanceError):
            result.values = values

    def test_interval_is_that_of_the_binomial(self):
        count, share = 2000, 0.3
        values = np.arange(count) < share * count
        low, high = MetricResult(values).interval(resamples=4000)
        deviation = math.sqrt(share * (1 - share) / count)
        assert low == pytest.approx(share - 1.96 * deviation, abs=0.1 * deviation)
        assert high == pytest.approx(share + 1.96 * deviation, abs=0.1 * deviation)

    def test_interval_leaves_out_what_the_mean_leaves_out(self):
        values = [0.0, 1.0, 1.0, 0.5]
        with_gaps = MetricResult([np.nan, *values, np.nan])
        assert with_gaps.interval() == MetricResult(values).interval()

    def test_interval_of_equal_values_is_a_point(self):
        assert MetricResult([0.25] * 7).interval() == (0.25, 0.25)

    def test_interval_narrows_with_the_level(self):
        result = MetricResult(np.linspace(0, 1, 50))
        low, high = result.interval(level=0.95)
        narrow_low, narrow_high = result.interval(level=0.5)
        assert low < narrow_low < result.mean < narrow_high < high

    def test_interval_depends_on_the_seed_alone(self):
        result = MetricResult(np.linspace(0, 1, 50) ** 2)
        assert result.interval(seed=3) == result.interval(seed=3)
        assert result.interval(seed=3) != result.interval(seed=4)

    def test_interval_does_not_depend_on_how_many_are_drawn_at_once(self, monkeypatch):
        result = MetricResult(np.linspace(0, 1, 50) ** 2)
        expected = result.interval()
        monkeypatch.setattr("keras_lap.evaluation.metric_result._DRAWN", 120)
        assert result.interval() == expected

    def test_nothing_counted(self):
        result = MetricResult([np.nan])
        assert math.isnan(result.mean)
        assert all(math.isnan(end) for end in result.interval())

    @pytest.mark.parametrize(
        "values, message", [([[1.0]], r"shape \(N,\)"), ([1.0, np.inf], "1 infinite")]
    )
    def test_bad_values(self, values, message):
        with pytest.raises(ValueError, match=message):
            MetricResult(values)

    @pytest.mark.parametrize(
        "arguments", [{"level": 0}, {"level": 1}, {"level": 95}, {"resamples": 0}]
    )
    def test_bad_interval_arguments(self, arguments):
        with pytest.raises(ValueError, match="Received"):
            MetricResult([1.0]).interval(**arguments)

    def test_by_class(self):
        curve = Curve([1, 2], [[1, 2], [3, 4], [5, 6], [np.nan] * 2], "x", "y")
        result = MetricResult([1, 3, 5, np.nan], curve)
        by_class = result.by_class(np.array([7, -1, 7, 9]))
        assert list(by_class) == [-1, 7, 9]
        np.testing.assert_array_equal(by_class[7].values, [1, 5])
        np.testing.assert_array_equal(by_class[7].curve.y, [[1, 2], [5, 6]])
        np.testing.assert_array_equal(by_class[7].curve.x, [1, 2])
        assert by_class[7].curve.x_name == "x"
        assert math.isnan(by_class[9].mean)
        assert by_class[9].left_out == 1
        assert MetricResult([2.0]).by_class([0])[0].curve is None
        assert MetricResult([]).by_class([]) == {}

    def test_classes_split_the_sum(self):
        values = np.random.default_rng(0).random(30)
        labels = np.arange(30) % 4
        parts = MetricResult(values).by_class(labels).values()
        assert sum(part.counted for part in parts) == 30
        total = sum(part.mean * part.counted for part in parts)
        assert total == pytest.approx(values.sum(), rel=1e-14)

    @pytest.mark.parametrize("labels", [[0, 1], [[0], [1], [0]], [0.0, 1.0, 0.0]])
    def test_bad_labels(self, labels):
        with pytest.raises(ValueError, match=r"of shape \(3,\).*argmax"):
            MetricResult([1, 2, 3]).by_class(labels)

    def test_curve_of_other_samples(self):
        with pytest.raises(ValueError, match="3 values and a curve of 2 lines"):
            MetricResult([1, 2, 3], Curve([1], [[1], [2]], "x", "y"))


class TestCurve:
    def test_mean_leaves_out_what_is_left_out(self):
        curve = Curve([0.1, 0.2], [[0, 1], [np.nan] * 2, [1, 3]], "share", "score")
        np.testing.assert_array_equal(curve.mean, [0.5, 2])
        assert repr(curve) == "Curve(score over share, samples=3, points=2)"

    @pytest.mark.parametrize("lines", [np.zeros((0, 2)), [[np.nan] * 2]])
    def test_mean_of_nothing(self, lines):
        np.testing.assert_array_equal(Curve([1, 2], lines, "x", "y").mean, [np.nan] * 2)

    def test_is_frozen_and_keeps_copies(self):
        x, y = np.array([1.0]), np.array([[2.0]])
        curve = Curve(x, y, "x", "y")
        x[0] = y[0, 0] = 9
        assert (curve.x[0], curve.y[0, 0]) == (1, 2)
        with pytest.raises(ValueError, match="read-only"):
            curve.y[0, 0] = 3
        with pytest.raises(dataclasses.FrozenInstanceError):
            curve.x = x

    @pytest.mark.parametrize(
        "x, y, message",
        [
            ([[1]], [[1]], r"x\.shape=\(1, 1\)"),
            ([1], [1], r"y\.shape=\(1,\)"),
            ([1, 2], [[1, 2, 3]], r"y\.shape=\(1, 3\)"),
            ([np.inf], [[1]], r"finite numbers"),
            ([np.nan], [[1]], r"finite numbers"),
            ([1], [[np.inf]], "1 infinite"),
            ([1, 2], [[1, 1], [1, np.nan]], r"NaN in part: \[1\]"),
        ],
    )
    def test_bad_arrays(self, x, y, message):
        with pytest.raises(ValueError, match=message):
            Curve(x, y, "x", "y")


def test_differences_are_of_the_samples_that_both_count():
    one, other = MetricResult([3.0, np.nan, 5.0]), MetricResult([1.0, 2.0, np.nan])
    np.testing.assert_array_equal(one.minus(other).values, [2, np.nan, np.nan])
    with pytest.raises(ValueError, match=r"same 3 samples.*one of 2"):
        one.minus(MetricResult([1.0, 2.0]))
