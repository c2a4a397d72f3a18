"""Maps peak where the image does."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers
from lap_models import maps_of, score_brightness

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.graph.receptive_grids import receptive_grids

pytestmark = pytest.mark.torch_suffices


def hot_pixels(size, places):
    """One image for each place, black but for the pixel there."""
    images = np.zeros((len(places), *size, 1), "float32")
    for image, place in zip(images, places, strict=True):
        image[*place] = 1
    return images


def assert_peaks_at(model, places, stride):
    """The peak of each map is as near its hot pixel as the stride allows.

    Outside the outermost pixels of the feature map the map goes on as at its edge, so
    only what lies between them is looked at.
    """
    size = model.input_shape[1:3]
    lap = model.layers[-1]
    calls = [(lap, lap.input.shape[1:3])]
    grid = receptive_grids(model, size, calls)[0].grid
    assert grid.stride == (stride, stride)
    first = np.ceil(grid.offset).clip(0).astype(int)
    last = np.floor(np.add(grid.offset, stride * np.subtract(grid.size, 1))).astype(int)
    last = np.minimum(last, np.subtract(size, 1))
    maps = maps_of(model, hot_pixels(size, places))[..., 0]
    between = maps[:, first[0] : last[0] + 1, first[1] : last[1] + 1]
    for place, map_ in zip(places, between, strict=True):
        assert map_.max() > 0.4
        peak = first + np.argwhere(map_ > map_.max() - 1e-5).mean(axis=0)
        assert np.abs(peak - np.clip(place, first, last)).max() <= stride / 2


def brightness_model(size, *stack):
    """A stack that passes brightness on, in front of a LAP layer that scores it."""
    lap = LAPooling2D(1)
    model = keras.Sequential([keras.Input((*size, 1)), *stack, lap])
    for layer in stack:
        layer.set_weights([weight * 0 + 1 for weight in layer.get_weights()])
    score_brightness(lap)
    return model


def places_in(size):
    """Pixels to try: the four corners and some inside."""
    corners = itertools.product(*((0, length - 1) for length in size))
    return [*corners, *np.random.default_rng(0).integers(0, size, (4, 2))]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(64, 96), (65, 79)])
@pytest.mark.parametrize("window", [2, 3])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
@pytest.mark.one_in(4)
def test_peak_lies_on_a_hot_pixel(depth, window, size, padding):
    stack = [layers.MaxPooling2D(window, 2, padding) for _ in range(depth)]
    model = brightness_model(size, *stack)
    # With valid padding the last pixels may be in no window.
    margin = 2**depth - 1 if padding == "valid" else 0
    assert_peaks_at(model, places_in(np.subtract(size, margin)), 2**depth)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(64, 96), (65, 79)])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
@pytest.mark.one_in(4)
def test_peak_lies_on_a_hot_pixel_behind_strided_convolutions(depth, size, padding):
    stack = [layers.Conv2D(1, 3, 2, padding, use_bias=False) for _ in range(depth)]
    model = brightness_model(size, *stack)
    margin = 2**depth if padding == "valid" else 0
    assert_peaks_at(model, places_in(np.subtract(size, margin)), 2**depth)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(64, 96), (65, 79)])
def test_peak_lies_on_a_hot_pixel_behind_convolutions(size, padding):
    convolutions = [
        layers.Conv2D(1, 3, 2, padding, use_bias=False),
        layers.DepthwiseConv2D(3, 1, padding, use_bias=False),
        layers.SeparableConv2D(1, 2, 2, padding, use_bias=False),
    ]
    model = brightness_model(size, *convolutions)
    # The convolution in the middle spreads a pixel over several of the last map's.
    assert_peaks_at(model, places_in(np.subtract(size, 8)) + np.array(4), 4)


@pytest.mark.parametrize("size", [(64, 60), (65, 59)])
def test_peak_lies_on_a_hot_pixel_behind_a_resnet_stem(size):
    model = brightness_model(
        size,
        layers.ZeroPadding2D(3),
        layers.Conv2D(1, 7, strides=2, use_bias=False),
        layers.ZeroPadding2D(1),
        layers.MaxPooling2D(3, 2),
    )
    assert_peaks_at(model, places_in(size), 4)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(64, 96), (65, 79)])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
@pytest.mark.one_in(4)
def test_peak_of_the_flow_through_lap_layers_lies_on_a_hot_pixel(depth, size, padding):
    laps = [LAPooling2D(2 + at % 2, 2, padding) for at in range(depth)]
    model = keras.Sequential([keras.Input((*size, 1)), *laps, GlobalLAPooling2D()])
    for lap in model.layers:
        score_brightness(lap)
    margin = 2 ** (depth + 1) - 2 if padding == "valid" else 0
    places = places_in(np.subtract(size, margin))
    maps = maps_of(model, hot_pixels(size, places))[..., 0]
    for place, map_ in zip(places, maps, strict=True):
        assert map_.max() > 0.1
        assert np.unravel_index(map_.argmax(), size) == tuple(place)


def test_peak_of_the_flow_lies_on_a_hot_pixel():
    size = (33, 48)
    laps = [LAPooling2D(3, 2, "same"), LAPooling2D(2), GlobalLAPooling2D(concepts=2)]
    steps = [layers.MaxPooling2D(2), laps[0], layers.MaxPooling2D(2), *laps[1:]]
    model = keras.Sequential([keras.Input((*size, 1)), *steps])
    for lap in laps:
        score_brightness(lap)
    places = places_in((32, 48))
    maps = maps_of(model, hot_pixels(size, places))
    assert maps.shape == (len(places), *size, 2)
    for place, map_ in zip(places, np.moveaxis(maps, -1, 1), strict=True):
        for concept in (0, 1):
            peaks = np.argwhere(map_[concept] > map_[concept].max() - 1e-5)
            assert np.abs(peaks.mean(axis=0) - place).max() <= 1
