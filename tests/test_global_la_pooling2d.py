"""The layer `GlobalLAPooling2D`."""

import keras
import numpy as np
import pytest
from keras import layers
from test_la_pooling2d import CHANNELS, LAPoolingContract
from tolerances import assert_close, tolerance

from keras_lap import GlobalLAPooling2D, LAPooling2D


class TestGlobalLAPooling2D(LAPoolingContract):
    """`GlobalLAPooling2D` without spatial axes."""

    def make(self, **options):
        return GlobalLAPooling2D(**options)

    def base_pooling(self, base, **options):
        kind = {"max": layers.GlobalMaxPooling2D, "avg": layers.GlobalAveragePooling2D}
        return kind[base](**options)


@pytest.mark.parametrize(
    "data_format, unknown, kept",
    [
        ("channels_last", (None, None, CHANNELS), (2, 1, 1, CHANNELS)),
        ("channels_first", (CHANNELS, None, None), (2, CHANNELS, 1, 1)),
    ],
)
def test_keepdims(rng, data_format, unknown, kept):
    x = rng.normal(size=(2, 4, 4, CHANNELS)).astype("float32")
    layer, flat = (
        GlobalLAPooling2D(data_format=data_format, keepdims=keepdims)
        for keepdims in (True, False)
    )
    y = layer(x)
    flat.build(x.shape)
    flat.set_weights(layer.get_weights())
    assert tuple(y.shape) == layer.compute_output_shape(x.shape) == kept
    assert layer(keras.Input(unknown)).shape == (None, *kept[1:])
    np.testing.assert_array_equal(np.reshape(y, (2, CHANNELS)), flat(x))
    assert GlobalLAPooling2D.from_config(layer.get_config()).keepdims


def test_equals_one_window_over_the_whole_map(rng):
    x = rng.normal(size=(2, 5, 4, CHANNELS)).astype("float32")
    windowed, whole = LAPooling2D((5, 4)), GlobalLAPooling2D(keepdims=True)
    windowed.build(x.shape)
    whole.build(x.shape)
    whole.set_weights(windowed.get_weights())
    assert_close(whole(x), windowed(x), **tolerance("float32", 20, np.abs(x).max()))
