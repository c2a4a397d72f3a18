"""How the maps of several layers become one."""

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops
from lap_models import (
    constant_laps,
    constant_model,
    maps_of,
    score_brightness,
    slow_flow_step,
)

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.explanation import combine
from keras_lap.explanation.combine import Reading
from keras_lap.graph.receptive_grid import ReceptiveGrid
from keras_lap.graph.receptive_grids import IMAGE
from keras_lap.layers import score_tape

pytestmark = pytest.mark.torch_too


@pytest.mark.parametrize(
    "how, expected",
    [
        ("mean", (0.9 + 0.5 + 0.2) / 3),
        ("product", (0.9 * 0.5 * 0.2) ** (1 / 3)),
        ("flow", 0.9 * 0.5 * 0.2),
        ("layer", 0.2),
    ],
)
def test_combinations_of_constant_scores(how, expected):
    maps = maps_of(constant_model(0.9, 0.5, 0.2), np.ones((2, 8, 6, 3)), combine=how)
    assert maps.shape == (2, 8, 6, 1) and maps.dtype == np.float32
    np.testing.assert_allclose(maps, expected, rtol=1e-5)


@pytest.mark.parametrize("how", ["flow", "mean", "product", "layer"])
def test_a_ramp_is_highest_where_it_is_surest(how):
    image = np.zeros((1, 8, 8, 1), "float32")
    image[0, 2:5, 1:6] = np.linspace(1.0, 2.0, 15).reshape(3, 5)[..., None]
    laps = [
        lap(concepts=1, score_activation="ramp", initial_score=0.5)
        for lap in (functools.partial(LAPooling2D, 1), GlobalLAPooling2D)
    ]
    model = keras.Sequential([keras.Input(image.shape[1:]), *laps])
    for lap in laps:
        lap.head.logits.set_weights([np.full((1, 1), 0.3), np.full(1, -0.1)])
    with score_tape() as records:
        model(image)
    assert (ops.convert_to_numpy(records[0].scores)[0, 2:5, 1:6] == 1).all()
    maps = maps_of(model, image, combine=how)[0, ..., 0]
    # Row 4, column 5, has the brightest pixel.
    assert np.unravel_index(maps.argmax(), maps.shape) == (4, 5)
    assert len(np.unique(maps)) == 16
    assert (maps[image[0, ..., 0] == 0] == 0).all()


@pytest.mark.parametrize("how", ["flow", "mean", "product", "layer"])
def test_certainty_counts_once_however_many_layers_there_are(how):
    """As sure everywhere, a map is the combined scores times that certainty."""
    image = np.ones((1, 8, 8, 1), "float32")
    laps = [
        LAPooling2D(1, concepts=1, score_activation=kind, initial_score=0.5)
        for kind in ("ramp", "sigmoid", "ramp", "ramp")
    ]
    model = keras.Sequential([keras.Input(image.shape[1:]), *laps])
    for lap in laps:
        is_ramp = lap.score_activation == "ramp"
        bias = 0.12 if is_ramp else 0.0
        lap.head.logits.set_weights([np.zeros((1, 1)), np.full(1, bias)])
    sure = 1 / (1 + np.exp(-1.2))
    scores = {"flow": 0.5, "mean": 0.875, "product": 0.5 ** (1 / 4), "layer": 1.0}
    maps = maps_of(model, image, combine=how)
    np.testing.assert_allclose(maps, sure * scores[how], rtol=1e-5)


def test_ways_with_more_layers_are_not_lower():
    """Where all gets through, through three layers, is above a half-closed one."""
    x = inputs = keras.Input((8, 8, 1))
    ramp = {"concepts": 1, "score_activation": "ramp", "initial_score": 0.5}
    way = [LAPooling2D(1, **ramp) for _ in range(3)]
    for lap in way:
        x = lap(x)
    beside = LAPooling2D(1, **ramp)
    model = keras.Model(inputs, layers.Add()([x, beside(inputs)]))
    for lap in way:
        lap.head.logits.set_weights([np.full((1, 1), 0.2), np.full(1, -0.1)])
    beside.head.logits.set_weights([np.full((1, 1), -0.15), np.full(1, 0.05)])
    image = np.zeros((1, 8, 8, 1), "float32")
    image[:, :, :4] = 1
    maps = maps_of(model, image)[0, ..., 0]
    with score_tape() as records:
        model(image)
    first, *_, last = (ops.convert_to_numpy(each.scores)[0, 0] for each in records)
    assert first[0, 0] == 1 and first[7, 0] == 0
    assert last[0, 0] == 0 and 0.7 < last[7, 0] < 1
    assert maps[0, 0] > maps[0, 7] > 0


def test_product_of_many_small_scores():
    model = constant_model(*[1e-9] * 6)
    maps = maps_of(model, np.ones((1, 8, 6, 3)), combine="product")
    np.testing.assert_allclose(maps, 1e-9, rtol=1e-4)


def test_choice_of_layers():
    model, image = constant_model(0.9, 0.5, 0.2), np.ones((1, 8, 6, 3))

    def value(**options):
        return maps_of(model, image, **options)[0, 0, 0, 0]

    assert value(layers=["lap_0", "lap_2"]) == pytest.approx(0.18)
    assert value(layers=["lap_1"]) == pytest.approx(0.5)
    assert value(layers="lap_1", combine="layer") == pytest.approx(0.5)
    assert value(layers=["lap_2", "lap_0"], combine="mean") == pytest.approx(0.55)


def test_flow_leads_through_layers_that_are_not_read():
    inputs = keras.Input((8, 6, 3))
    stem, left, right, end = constant_laps(0.9, 0.5, 0.3, 0.8)
    x = stem(inputs)
    ways = layers.Add()([layers.ReLU()(x), left(x), right(x)])
    model = keras.Model(inputs, end(ways))
    images = np.ones((1, 8, 6, 3))
    for chosen, expected in (
        ([left, end], 0.8),
        ([stem, end], 0.9 * 0.8),
        ([right, left], 0.5),
    ):
        names = [lap.name for lap in chosen]
        np.testing.assert_allclose(
            maps_of(model, images, layers=names), expected, rtol=1e-5
        )


@pytest.mark.parametrize("how", ["flow", "mean", "product", "layer"])
def test_single_concept_serves_all(how, rng):
    model = constant_model(0.9, 0.5, 0.7, concepts=[1, 4, 1])
    kernel, bias = model.get_layer("lap_1").head.logits.get_weights()
    bias = rng.normal(0, 0.2, bias.shape)
    model.get_layer("lap_1").head.logits.set_weights([kernel, bias])
    images = np.ones((1, 8, 6, 3))
    with score_tape() as records:
        model(images)
    wanted = ops.convert_to_numpy(records[1].scores)[0, 0, 0]
    expected = {
        "flow": 0.9 * wanted * 0.7,
        "mean": (0.9 + wanted + 0.7) / 3,
        "product": (0.9 * wanted * 0.7) ** (1 / 3),
        "layer": [0.7],
    }[how]
    maps = maps_of(model, images, combine=how)
    assert maps.shape == (1, 8, 6, len(expected))
    np.testing.assert_allclose(maps[0, 3, 3], expected, rtol=1e-5)
    if how != "layer":
        chosen = maps_of(model, images, concepts=[3, 0], combine=how)
        np.testing.assert_array_equal(chosen, maps[..., [3, 0]])


LAPS = {
    "overlapping": lambda **options: LAPooling2D(3, 2, **options),
    "apart": lambda **options: LAPooling2D((2, 1), 3, **options),
    "same": lambda **options: LAPooling2D((3, 4), (2, 3), "same", **options),
    "padded": lambda **options: LAPooling2D(3, 2, ((2, 1), (0, 2)), **options),
}


@pytest.mark.parametrize("weighting", ["gaussian", "softmax"])
@pytest.mark.parametrize("kind", LAPS)
def test_flow_is_that_of_a_slow_loop(kind, weighting, rng):
    options = {"weighting": weighting, "concepts": 2, "alpha": 3.0}
    laps = [LAPS[kind](**options), LAPooling2D(2, **options)]
    laps.append(GlobalLAPooling2D(**options))
    model = keras.Sequential([keras.Input((11, 14, 3)), *laps])
    for lap in laps:
        kernel, bias = lap.head.logits.get_weights()
        lap.head.logits.set_weights([rng.normal(size=kernel.shape), 0 * bias])
    images = rng.normal(size=(2, 11, 14, 3)).astype("float32")
    with score_tape() as records:
        model(images)
    expected = np.empty((2, 11, 14, 2))
    for sample, concept in np.ndindex(2, 2):
        relevance = None
        for record in reversed(records):
            scores = ops.convert_to_numpy(record.scores)[sample, ..., concept]
            attention = ops.convert_to_numpy(record.attention)[sample, ..., 0]
            relevance = (
                scores
                if relevance is None
                else slow_flow_step(record.layer, 3.0, scores, attention, relevance)
            )
        expected[sample, ..., concept] = relevance
    np.testing.assert_allclose(maps_of(model, images), expected, rtol=2e-5, atol=1e-7)


def test_flow_reads_the_next_layer_where_the_pixels_lie():
    inputs = keras.Input((16, 16, 1))
    first, second = LAPooling2D(2, strides=1), LAPooling2D(1)
    x = layers.AveragePooling2D(2)(
        layers.ZeroPadding2D(((1, 0), (1, 0)))(first(inputs))
    )
    model = keras.Model(inputs, second(x))
    for lap in (first, second):
        score_brightness(lap)
    image = np.random.default_rng(0).random((1, 16, 16, 1), "float32")
    with score_tape() as records:
        model(image)
    scores, behind = (
        ops.convert_to_numpy(record.scores)[0, ..., 0] for record in records
    )
    # The first layer's outputs lie at 0.5, 1.5, ... and the second's inputs, after the
    # zeros at -0.5 and the halving, at 0, 2, 4, ...
    at = (np.arange(15) + 0.5) / 2
    low = np.minimum(at.astype(int), 6)
    part = np.minimum(at - low, 1)
    rows = (1 - part)[:, None] * behind[low] + part[:, None] * behind[low + 1]
    passed = (1 - part) * rows[:, low] + part * rows[:, low + 1]
    expected = slow_flow_step(first, 2.0, scores, scores, passed)
    np.testing.assert_allclose(
        maps_of(model, image)[0, ..., 0], expected, rtol=1e-5, atol=1e-7
    )


def reading(layer, value, sources, size=(4, 4)):
    scores = np.full((1, *size, 1), value, "float32")
    grid = ReceptiveGrid((4, 4)).resized(size)
    return Reading(layer, 2.0, scores, scores, grid, sources)


def test_flow_takes_the_better_of_parallel_ways():
    image, pool = ReceptiveGrid((4, 4)), LAPooling2D(1)
    readings = [
        reading(pool, 0.9, {IMAGE}),
        reading(pool, 0.3, {0}),
        reading(pool, 0.5, {0}),
        reading(pool, 0.8, {1, 2}),
    ]
    np.testing.assert_allclose(
        combine.flow(readings, image), 0.9 * 0.5 * 0.8, rtol=1e-6
    )
    readings[3] = reading(pool, 0.8, {0, 1, 2})
    np.testing.assert_allclose(combine.flow(readings, image), 0.9 * 0.8, rtol=1e-6)
    branches = [reading(pool, 0.2, {IMAGE}), reading(pool, 0.6, {IMAGE})]
    np.testing.assert_allclose(combine.flow(branches, image), 0.6, rtol=1e-6)


def test_flow_through_a_global_layer_is_heard_everywhere():
    readings = [
        reading(GlobalLAPooling2D(keepdims=True), 0.5, {IMAGE}),
        reading(LAPooling2D(2), 0.1, {0}),
    ]
    readings[1].scores[0, 0, 3] = 0.8
    maps = combine.flow(readings, ReceptiveGrid((4, 4)))
    np.testing.assert_allclose(maps, 0.4, rtol=1e-6)


def test_pixels_that_no_window_holds_get_nothing_through():
    readings = [
        reading(LAPooling2D(1, strides=2), 0.5, {IMAGE}),
        reading(LAPooling2D(1), 0.5, {0}, size=(2, 2)),
    ]
    maps = combine.flow(readings, ReceptiveGrid((4, 4)))[0, ..., 0]
    assert maps[0, 2] == 0.25 and maps[1].max() == 0
