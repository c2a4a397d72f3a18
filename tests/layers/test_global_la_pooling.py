"""The layers with one window over the whole map."""

import keras
import numpy as np
import pytest
from keras import ops
from layer_cases import BATCH, CHANNELS, LAYER_CASES, in_layout_of
from layer_contract import LAPoolingContract
from tolerances import assert_close, assert_identical, tolerance

import keras_lap

pytestmark = pytest.mark.jax_too


class GlobalLAPoolingContract(LAPoolingContract):
    """What holds besides for every layer that pools whole maps."""

    @pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
    def test_keepdims(self, rng, data_format):
        flat, x = self.case.built(rng, data_format=data_format)
        layer = self.case.make(data_format=data_format, keepdims=True)
        layer.build(x.shape)
        layer.set_weights(flat.get_weights())
        y = layer(x)
        ones = (1,) * self.case.rank
        kept = in_layout_of(layer, np.empty((BATCH, *ones, CHANNELS))).shape
        assert tuple(y.shape) == layer.compute_output_shape(x.shape) == kept
        unknown = [None if size != CHANNELS else size for size in x.shape[1:]]
        assert layer(keras.Input(unknown)).shape == (None, *kept[1:])
        assert_identical(ops.reshape(y, (BATCH, CHANNELS)), flat(x))
        assert self.case.layer.from_config(layer.get_config()).keepdims

    def test_equals_one_window_over_the_whole_map(self, rng):
        layer, x = self.case.built(rng)
        kind = getattr(keras_lap, f"LAPooling{self.case.rank}D")
        windowed = kind(self.case.sizes)
        windowed.build(x.shape)
        windowed.set_weights(layer.get_weights())
        assert_close(
            layer(x),
            ops.reshape(windowed(x), (BATCH, CHANNELS)),
            **tolerance("float32", self.case.pixels, np.abs(x).max()),
        )


@pytest.mark.torch_suffices
class TestGlobalLAPooling1D(GlobalLAPoolingContract):
    """`GlobalLAPooling1D`."""

    case = LAYER_CASES["GlobalLAPooling1D"]


class TestGlobalLAPooling2D(GlobalLAPoolingContract):
    """`GlobalLAPooling2D`."""

    case = LAYER_CASES["GlobalLAPooling2D"]


@pytest.mark.torch_suffices
class TestGlobalLAPooling3D(GlobalLAPoolingContract):
    """`GlobalLAPooling3D`."""

    case = LAYER_CASES["GlobalLAPooling3D"]
