"""Where windows lie: against the oracle's index arithmetic and TensorFlow's pooling."""

import itertools

import numpy as np
import oracle
import pytest
import tensorflow as tf
from hypothesis import assume, given
from hypothesis import strategies as st
from keras import ops

from keras_lap.ops import windows

sizes = st.integers(1, 12)
window_sizes = st.integers(1, 5)
strides = st.integers(1, 4)
paddings = st.one_of(
    st.sampled_from(("valid", "same")), st.tuples(st.integers(0, 4), st.integers(0, 4))
)


def fits(size, window, padding):
    """Whether `la_pool` accepts these along one axis."""
    if padding == "same":
        return True
    pair = (0, 0) if padding == "valid" else padding
    return max(pair) < window <= size + sum(pair)


def per_axis(padding):
    """The padding argument of a one-dimensional pooling."""
    return padding if isinstance(padding, str) else [padding]


@given(sizes, window_sizes, strides, paddings)
def test_placement_equals_the_oracle(size, window, stride, padding):
    assume(fits(size, window, padding))
    expected = oracle.axis_windows(size, window, stride, padding)
    axis = ([size], [window], [stride], per_axis(padding))
    (pair,) = windows.pad_widths(*axis)
    assert windows.output_sizes(*axis) == (len(expected),)
    assert -pair[0] == expected[0][0]


@given(sizes, window_sizes, strides, st.sampled_from(("valid", "same")))
def test_oracle_places_windows_as_tensorflow_does(size, window, stride, padding):
    assume(fits(size, window, padding))
    ramp = np.arange(size, dtype="float32").reshape(1, size, 1)
    first, last = (
        sign * tf.nn.max_pool1d(sign * ramp, window, stride, padding.upper())
        for sign in (-1, 1)
    )
    real = [
        [p for p in positions if 0 <= p < size]
        for positions in oracle.axis_windows(size, window, stride, padding)
    ]
    np.testing.assert_array_equal(np.ravel(first), [pixels[0] for pixels in real])
    np.testing.assert_array_equal(np.ravel(last), [pixels[-1] for pixels in real])


@given(sizes, window_sizes, strides, paddings)
def test_every_window_holds_a_real_pixel(size, window, stride, padding):
    assume(fits(size, window, padding))
    for positions in oracle.axis_windows(size, window, stride, padding):
        assert any(0 <= p < size for p in positions)


@given(sizes, window_sizes, strides)
def test_same_padding_of_a_size_known_at_run_time(size, window, stride):
    pair = windows.same_padding(tf.constant(size), window, stride)
    assert tuple(map(int, pair)) == windows.same_padding(size, window, stride)


@pytest.mark.parametrize(
    "padding, expected",
    [("valid", (None, 2)), ("same", (None, 3)), ([(1, 1), (2, 0)], (None, 3))],
)
def test_output_sizes_of_an_unknown_axis(padding, expected):
    assert windows.output_sizes((None, 5), (3, 3), (2, 2), padding) == expected


def test_taps_are_in_row_major_order():
    expected = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert windows.taps((2, 3)) == expected


@pytest.mark.parametrize("pool_size", [(1, 1), (2, 3), (3, 2), (5, 4)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 4)])
def test_slices_hold_the_pixels_of_every_window(rng, pool_size, strides):
    x = rng.random((2, 7, 6, 3))
    expected = oracle.pooling_windows((7, 6), pool_size, strides)
    for index, tap in enumerate(windows.taps(pool_size)):
        view = windows.slice_tap(ops.convert_to_tensor(x), tap, pool_size, strides)
        assert view.shape == (2, *oracle.window_grid(expected), 3)
        for (u, pixels), n in itertools.product(expected.items(), range(2)):
            np.testing.assert_array_equal(view[(n, *u)], x[(n, *pixels[index])])
