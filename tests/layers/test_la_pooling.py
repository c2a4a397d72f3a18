"""The layers that pool window by window."""

import keras
import numpy as np
import pytest
from keras import layers
from layer_cases import CHANNELS, LAYER_CASES
from layer_contract import LAPoolingContract
from tolerances import assert_close, assert_identical, tolerance

from keras_lap import LAPooling, LAPooling2D

pytestmark = pytest.mark.jax_too


class WindowedLAPoolingContract(LAPoolingContract):
    """What holds besides for every layer with windows.

    Subclasses list arguments and the sizes that they make of `sizes`.
    """

    sizes = ()
    output_sizes = ()

    @pytest.mark.slow_on_jax
    def test_output_sizes(self):
        x = np.ones((2, *self.sizes, CHANNELS))
        for windows, sizes in self.output_sizes:
            layer = self.case.layer(**windows)
            assert layer.compute_output_shape(x.shape) == (2, *sizes, CHANNELS)
            assert tuple(layer(x).shape) == (2, *sizes, CHANNELS)
            copy = self.case.layer.from_config(layer.get_config())
            assert copy.compute_output_shape(x.shape) == (2, *sizes, CHANNELS)

    @pytest.mark.parametrize("base", ["max", "avg"])
    def test_explicit_padding_stands_for_a_padding_layer(self, rng, base):
        rank, x = self.case.rank, self.case.features(rng) - 3
        padding = ((1, 0), (2, 1), (0, 2))[-rank:]
        zeros = getattr(layers, f"ZeroPadding{rank}D")
        zeros = zeros(padding[0] if rank == 1 else padding)
        expected = self.case.bases[base](3, 2)(zeros(x))
        y = self.case.layer(3, 2, padding, base=base)(x)
        if base == "avg":
            # Divided before or after the sum: a matter of rounding.
            assert_close(y, expected, **tolerance("float32", 3**rank, np.abs(x).max()))
        else:
            assert_identical(y, expected)

    @pytest.mark.parametrize(
        "options, expected",
        [
            ({"pool_size": 0}, "`pool_size` to be a positive integer or {rank} of"),
            ({"pool_size": None}, "`pool_size` to be a positive integer or {rank} of"),
            ({"pool_size": 2**21}, "a window of at most 1048576 pixels"),
            ({"strides": 0}, "`strides` to be a positive integer or {rank} of"),
            ({"strides": [1] * 4}, "`strides` to be a positive integer or {rank} of"),
            ({"padding": "full"}, '`padding` to be "valid", "same" or one'),
            ({"padding": 1}, '`padding` to be "valid", "same" or one'),
            ({"padding": ((1, 1),) * 4}, '`padding` to be "valid", "same" or one'),
        ],
    )
    def test_refuses_windows(self, options, expected):
        with pytest.raises(ValueError) as caught:
            self.case.layer(**options)
        assert expected.format(rank=self.case.rank) in str(caught.value)
        assert "Received: " in str(caught.value)

    def test_refuses_padding_as_wide_as_the_window(self):
        padding = ((2, 0), *[(0, 0)] * (self.case.rank - 1))
        with pytest.raises(ValueError, match=r"smaller than the window.*Received: "):
            self.case.layer(padding=padding)

    @pytest.mark.parametrize(
        "use",
        [
            lambda layer, shape: layer(np.ones(shape)),
            lambda layer, shape: layer(keras.Input(shape[1:])),
            lambda layer, shape: layer.build(shape),
            lambda layer, shape: layer.compute_output_shape(shape),
        ],
        ids=["call", "symbolic call", "build", "compute_output_shape"],
    )
    def test_refuses_a_map_smaller_than_the_window(self, use):
        message = r"every window to fit.*Received: pool_size=\(5,.* on a map of \(4,"
        with pytest.raises(ValueError, match=message):
            use(self.case.layer(5), (1, *[4] * self.case.rank, CHANNELS))


@pytest.mark.torch_suffices
class TestLAPooling1D(WindowedLAPoolingContract):
    """`LAPooling1D`."""

    case = LAYER_CASES["LAPooling1D"]
    sizes = (7,)
    output_sizes = (
        ({}, (3,)),
        ({"pool_size": [3], "strides": 1}, (5,)),
        ({"pool_size": 3, "padding": "same"}, (3,)),
        ({"pool_size": 3, "strides": 2, "padding": [(2, 1)]}, (4,)),
    )


class TestLAPooling2D(WindowedLAPoolingContract):
    """`LAPooling2D`."""

    case = LAYER_CASES["LAPooling2D"]
    sizes = (7, 6)
    output_sizes = (
        ({}, (3, 3)),
        ({"pool_size": 3}, (2, 2)),
        ({"pool_size": 3, "strides": 2}, (3, 2)),
        ({"pool_size": 3, "strides": 2, "padding": "SAME"}, (4, 3)),
        ({"pool_size": 3, "strides": 2, "padding": ((1, 1), (0, 2))}, (4, 3)),
        ({"pool_size": [7, 6]}, (1, 1)),
        ({"pool_size": np.int64(2), "strides": (4, 4)}, (2, 2)),
    )

    def test_short_name(self):
        assert LAPooling is LAPooling2D

    def test_the_case_of_a_data_format_is_of_no_account(self):
        layer = LAPooling2D(data_format="Channels_First")
        assert layer.data_format == "channels_first"

    @pytest.mark.parametrize("excluded, expected", [([], 0.9), (["raw_alpha"], 1.0)])
    def test_alpha_can_be_excluded_from_weight_decay(self, excluded, expected):
        layer = LAPooling2D(2)
        layer.build((None, 4, 4, CHANNELS))
        before = float(layer.raw_alpha)
        optimizer = keras.optimizers.AdamW(1.0, weight_decay=0.1)
        optimizer.exclude_from_weight_decay(var_names=excluded)
        nothing = [keras.ops.zeros(weight.shape) for weight in layer.trainable_weights]
        optimizer.apply(nothing, layer.trainable_weights)
        assert float(layer.raw_alpha) == pytest.approx(expected * before)


@pytest.mark.torch_suffices
class TestLAPooling3D(WindowedLAPoolingContract):
    """`LAPooling3D`."""

    case = LAYER_CASES["LAPooling3D"]
    sizes = (7, 6, 5)
    output_sizes = (
        ({}, (3, 3, 2)),
        ({"pool_size": (3, 2, 1), "strides": (1, 2, 4)}, (5, 3, 2)),
        ({"pool_size": 3, "strides": 2, "padding": "same"}, (4, 3, 3)),
        ({"pool_size": 3, "padding": ((1, 1), (0, 0), (2, 2))}, (3, 2, 3)),
    )
