"""Whatever the graph, a model computes the same after conversion."""

import keras
import numpy as np
import pytest
from converted_models import TOLERANCE, RandomGraph, assert_same_function
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from networks import lap_names, randomise
from tolerances import assert_close

from keras_lap import lap_layers
from keras_lap.surgery import convert

pytestmark = pytest.mark.torch_suffices


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.one_in(3)
def test_random_graphs(seed, rng):
    model = randomise(RandomGraph(seed).model(), rng)
    for where, keep_max in (("pooling", False), ("all", False), ("all", True)):
        converted = convert(model, where=where, keep_max=keep_max)
        assert_same_function(converted, model, rng)
        assert len(lap_layers(converted)) >= 1


@st.composite
def strided_convolutions(draw):
    strides = draw(st.sampled_from([(2, 2), (3, 3), (4, 4)]))
    kind = draw(
        st.sampled_from([layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D])
    )
    config = {"filters": 3}
    if kind is layers.Conv2D:
        strides = draw(st.sampled_from([strides, (1, 2), (3, 1), (2, 3)]))
    else:
        # Keras has no dilation beside strides for the other kind.
        config["dilation_rate"] = draw(st.integers(1, 2))
    if kind is layers.DepthwiseConv2D:
        del config["filters"]
    return kind, {
        "kernel_size": draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        "strides": strides,
        "padding": draw(st.sampled_from(["same", "valid"])),
        "activation": draw(st.sampled_from([None, "tanh"])),
        "name": "conv",
        **config,
    }


@settings(max_examples=examples(40))
@given(
    strided_convolutions(),
    st.tuples(st.integers(7, 14), st.integers(7, 14)),
    st.booleans(),
)
def test_strided_convolutions_sample_the_same_pixels(convolution, size, known):
    kind, config = convolution
    layer = kind(**config)
    model = keras.Sequential(
        [
            keras.Input((*size, 2) if known else (None, None, 2)),
            layer,
            layers.MaxPooling2D(1, strides=2, name="pool"),
        ]
    )
    converted = convert(model, where="all")
    x = np.random.default_rng(0).normal(size=(2, *size, 2)).astype("float32")
    assert_close(converted(x), model(x), **TOLERANCE)
    axes = zip(layer.kernel_size, layer.dilation_rate, layer.strides, strict=True)
    ambiguous = layer.padding == "same" and any(
        (size - 1) * rate + 1 > 2 and stride > 1 for size, rate, stride in axes
    )
    assert ("conv_lap" in lap_names(converted)) == (known or not ambiguous)
