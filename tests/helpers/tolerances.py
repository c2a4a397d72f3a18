"""How far a result may lie from the exact value: one table for all dtypes.

A result is `sum_p w_p V_p / sum_p w_p` over a window of `P` pixels, rounded once to the
dtype it is stored in. With `u` the unit roundoff of the dtype it is computed in:

- The exponent `t` of a weight carries at most seven roundings (difference, product
  with a rounded alpha, square), an absolute error of `7 t u exp(-t) <= 2.6 u` in the
  weight, to which the exponential adds 2 u. The best pixel's weight is 1, so over a
  window these amount to at most 12 u, in the numerator and again in the denominator.
- Either sum over the window adds `(P - 1) u`.
- Division, gate and product with the feature add 3 u, blending with a base the same.

Together that is less than `2 u (P + 15)` times the largest summand. So many errors are
never all at their worst and of one sign, so half of it is allowed. Half precision is
computed in float32: its results are off by one rounding to the dtype, and by float32's
error before that.
"""

import dataclasses

import numpy as np
from keras import ops


@dataclasses.dataclass(frozen=True)
class Precision:
    """Unit roundoffs of a dtype."""

    computed: float
    stored: float


PRECISIONS = {
    "float64": Precision(computed=2**-53, stored=2**-53),
    "float32": Precision(computed=2**-24, stored=2**-24),
    "float16": Precision(computed=2**-24, stored=2**-11),
    "bfloat16": Precision(computed=2**-24, stored=2**-8),
}
DTYPES = tuple(PRECISIONS)


def tolerance(dtype, terms, magnitude=1.0):
    """Tolerance for a weighted mean or sum.

    Args:
        dtype: Dtype of the result.
        terms: Number of values summed into one result: for the pooling, the window.
        magnitude: Largest absolute value of a summand.

    Returns:
        Dict with `rtol` and `atol`, for `assert_close`.
    """
    precision = PRECISIONS[dtype]
    return {
        "rtol": precision.stored,
        "atol": precision.computed * (terms + 15) * magnitude,
    }


def layer_tolerance(dtype, magnitude=1.0):
    """Tolerance for a whole layer run in `dtype` against the same layer in float32.

    Inputs, kernel, bias, logit, score and output are each rounded to the dtype, and
    the logits are of the order of three, where a rounding is four times as large and
    the sigmoid, which is never steeper than 1/4, takes the factor back.
    """
    return {"rtol": 0.0, "atol": 6 * PRECISIONS[dtype].stored * magnitude}


def assert_close(actual, expected, rtol, atol):
    """Compares two arrays or tensors and reports the place of the worst mismatch."""
    __tracebackhide__ = True
    actual, expected = (
        np.asarray(ops.convert_to_numpy(value)).astype("float64")
        for value in (actual, expected)
    )
    assert actual.shape == expected.shape, (
        f"shape {actual.shape}, expected {expected.shape}"
    )
    error = np.abs(actual - expected)
    allowed = atol + rtol * np.abs(expected)
    excess = np.nan_to_num(error - allowed, nan=np.inf)
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    assert excess[worst] <= 0, (
        f"{np.sum(excess > 0)} of {excess.size} values differ, worst at "
        f"{tuple(map(int, worst))}: {actual[worst]!r}, expected {expected[worst]!r}, "
        f"off by {error[worst]:.3g}, allowed {allowed[worst]:.3g}"
    )


def assert_identical(actual, expected):
    """Compares two arrays or tensors of any backend to the last bit."""
    __tracebackhide__ = True
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (actual, expected)))
