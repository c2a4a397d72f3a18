"""Local attention pooling as a function: argument checks and dispatch."""

import keras
import numpy as np
from keras import ops

from keras_lap.ops import windows
from keras_lap.ops.arguments import (
    BASES,
    GATINGS,
    IMPLEMENTATIONS,
    WEIGHTINGS,
    check_dtype,
    check_gate,
    check_ranks,
    check_shapes,
    check_sharpness,
    standardize_window,
)
from keras_lap.ops.dispatch import implementation_for
from keras_lap.utils.float_dtypes import compute_dtype
from keras_lap.utils.layout import (
    from_channels_last,
    standardize_data_format,
    to_channels_last,
)
from keras_lap.utils.names import check_choice


def la_pool(
    x,
    scores,
    alpha,
    pool_size,
    strides=None,
    padding="valid",
    *,
    weighting="gaussian",
    gating="score",
    base=None,
    base_gate=None,
    data_format=None,
    implementation="auto",
):
    """Local attention pooling (LAP) of a feature map under given attention scores.

    In the window `O_u` of output pixel `u`, with `m_u = max_{p in O_u} A_p`,

        w_p = exp(-alpha^2 (m_u - A_p)^2)             weighting="gaussian"
        w_p = exp(alpha (A_p - m_u))                  weighting="softmax"
        y_u = sum_p w_p A_p X_p / sum_p w_p           gating="score"
        y_u = sum_p w_p     X_p / sum_p w_p           gating=None

    and with a base branch `P` (the pooling that stood there before)

        y_u = (1 - base_gate) P(X)_u + base_gate y_u.

    Padded pixels never carry weight. Where the best score of a window is tied, the
    first of the tied pixels in row-major order receives its gradient. A feature that
    is NaN or infinite makes every output over it NaN or infinite, and a NaN score all
    outputs that it weights. No sum on the way overflows where the output does not,
    except in the average of `base="avg"` where Keras computes it.

    Args:
        x: Features, `(N, *spatial, C)` with `data_format="channels_last"`,
            `(N, C, *spatial)` otherwise; 1 to 3 spatial axes; any float dtype.
        scores: Attention scores `A` in `x`'s layout with `G` channels; `G` divides
            `C` and channel group `g` is weighted by score map `g`. Usually in
            `[0, 1]`. Computed with in float32, or in float64 if `x` is of float64.
        alpha: Sharpness, scalar or `(G,)`, not negative. 0 averages, large values
            keep the best pixel alone.
        pool_size: Integer or one per spatial axis; `None` for one window over the
            whole map, without `strides` and `padding`.
        strides: Integer or one per spatial axis; `None` for `pool_size`.
        padding: `"valid"`, `"same"` (TensorFlow's placement; the base branch
            ignores padded pixels, as pooling layers do), or explicit zeros as one
            `(before, after)` pair per spatial axis (the base branch sees the
            zeros, as after a `ZeroPadding2D`).
        weighting: `"gaussian"` or `"softmax"`.
        gating: `"score"` or `None`.
        base: `None`, `"max"`, `"avg"` or `"first"` (the window's first pixel, which
            a strided convolution would have sampled).
        base_gate: Scalar in `[0, 1]`, required with `base`: 0 gives the base branch
            alone, 1 gives LAP alone. The two are added with these weights, so a
            feature that is not finite shows at any gate.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras'
            own setting.
        implementation: `"fused"` for the compiled kernels, `"reference"` for plain
            `keras.ops`, `"auto"` for the fused one wherever it can run. What that
            is, and why, `keras_lap.ops.which` tells.

    Returns:
        Tensor in `x`'s layout and dtype with the pooled spatial sizes.

    Raises:
        ValueError: If an argument is unknown, or shapes do not fit each other.
        RuntimeError: If `implementation="fused"` cannot run here; says why.

    Example:

    >>> import numpy as np
    >>> import keras_lap
    >>> x = np.arange(4, dtype="float32").reshape(1, 2, 2, 1)
    >>> scores = np.array([[0, 0], [0, 1]], dtype="float32").reshape(1, 2, 2, 1)
    >>> y = keras_lap.la_pool(x, scores, alpha=100.0, pool_size=2)
    >>> float(y[0, 0, 0, 0])
    3.0

    Reference: [arXiv:2201.11808](https://arxiv.org/abs/2201.11808) for the pooling;
    `gating` and `base` are this library's own design.
    """
    check_choice("weighting", weighting, WEIGHTINGS)
    check_choice("gating", gating, GATINGS)
    check_choice("base", base, BASES)
    check_choice("implementation", implementation, IMPLEMENTATIONS)
    check_sharpness(alpha)
    check_gate(base, base_gate)
    data_format = standardize_data_format(data_format)
    tensors = (x, scores, alpha, base_gate)
    if any(isinstance(tensor, keras.KerasTensor) for tensor in tensors):
        window = _checked_window(*tensors, (pool_size, strides, padding), data_format)
        operation = LaPool(
            *window,
            weighting=weighting,
            gating=gating,
            base=base,
            data_format=data_format,
            implementation=implementation,
        )
        return operation(*tensors)
    x, scores = (ops.convert_to_tensor(tensor) for tensor in (x, scores))
    check_dtype(x)
    dtype = compute_dtype(x.dtype)
    scores, alpha = ops.cast(scores, dtype), ops.convert_to_tensor(alpha, dtype)
    check_ranks(x=x, scores=scores, alpha=alpha)
    if base is not None:
        base_gate = ops.convert_to_tensor(base_gate, dtype)
        check_ranks(base_gate=base_gate)
    shapes = [to_channels_last(tensor.shape, data_format) for tensor in (x, scores)]
    check_shapes(*shapes, alpha.shape, None if base is None else base_gate.shape)
    window = standardize_window(shapes[0], pool_size, strides, padding)
    # Under torch.vmap even a move from the last axis to the last fails.
    moves = data_format == "channels_first"
    if moves:
        x, scores = (ops.moveaxis(tensor, 1, -1) for tensor in (x, scores))
    pool = implementation_for(x, implementation)
    y = pool(x, scores, alpha, *window, weighting, gating, base, base_gate)
    return ops.moveaxis(y, -1, 1) if moves else y


@keras.saving.register_keras_serializable("keras_lap")
class LaPool(keras.Operation):
    """`la_pool` as a node of a Functional model; takes its keyword arguments."""

    def __init__(
        self,
        pool_size,
        strides=None,
        padding="valid",
        *,
        weighting="gaussian",
        gating="score",
        base=None,
        data_format=None,
        implementation="auto",
        name=None,
    ):
        super().__init__(name=name)
        self.window = (pool_size, strides, padding)
        self.data_format = data_format
        self.options = {
            "weighting": weighting,
            "gating": gating,
            "base": base,
            "implementation": implementation,
        }

    def call(self, x, scores, alpha, base_gate=None):
        return la_pool(
            x,
            scores,
            alpha,
            *self.window,
            base_gate=base_gate,
            data_format=self.data_format,
            **self.options,
        )

    def compute_output_spec(self, x, scores, alpha, base_gate=None):
        window = _checked_window(
            x, scores, alpha, base_gate, self.window, self.data_format
        )
        batch, *sizes, channels = to_channels_last(x.shape, self.data_format)
        if window[0] is None:
            sizes = [1] * len(sizes)
        else:
            sizes = windows.output_sizes(sizes, *window)
        shape = from_channels_last((batch, *sizes, channels), self.data_format)
        return keras.KerasTensor(shape, x.dtype)


def _checked_window(x, scores, alpha, base_gate, window, data_format):
    """Checks the tensors of a graph, and fills in where the windows lie."""
    check_dtype(x)
    shapes = [to_channels_last(tensor.shape, data_format) for tensor in (x, scores)]
    gate_shape = None if base_gate is None else _shape(base_gate)
    check_shapes(*shapes, _shape(alpha), gate_shape)
    return standardize_window(shapes[0], *window)


def _shape(value):
    return value.shape if hasattr(value, "shape") else np.shape(value)
