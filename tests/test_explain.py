import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_lap import GlobalLAPooling2D, LAPooling2D, convert
from keras_lap.explanation import combine, draw_maps, explain
from keras_lap.explanation.combine import Reading
from keras_lap.layers import score_tape
from keras_lap.layers.grid_walk import IMAGE, receptive_grids
from keras_lap.layers.receptive_grid import ReceptiveGrid

SLOPE = 8.0


def score_brightness(lap):
    """Makes every concept score a growing function of the sum over the channels."""
    kernel, bias = lap.head.logits.get_weights()
    lap.head.logits.set_weights([SLOPE + 0 * kernel, -SLOPE / 2 + 0 * bias])


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
    maps = explain(model, hot_pixels(size, places))[..., 0]
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
def test_peak_lies_on_a_hot_pixel(depth, window, size, padding):
    stack = [layers.MaxPooling2D(window, 2, padding) for _ in range(depth)]
    model = brightness_model(size, *stack)
    # With valid padding the last pixels may be in no window.
    margin = 2**depth - 1 if padding == "valid" else 0
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


def test_peak_of_the_flow_lies_on_a_hot_pixel():
    size = (33, 48)
    laps = [LAPooling2D(3, 2, "same"), LAPooling2D(2), GlobalLAPooling2D(concepts=2)]
    steps = [layers.MaxPooling2D(2), laps[0], layers.MaxPooling2D(2), *laps[1:]]
    model = keras.Sequential([keras.Input((*size, 1)), *steps])
    for lap in laps:
        score_brightness(lap)
    places = places_in((32, 48))
    maps = explain(model, hot_pixels(size, places))
    assert maps.shape == (len(places), *size, 2)
    for place, map_ in zip(places, np.moveaxis(maps, -1, 1), strict=True):
        for concept in (0, 1):
            peaks = np.argwhere(map_[concept] > map_[concept].max() - 1e-5)
            assert np.abs(peaks.mean(axis=0) - place).max() <= 1


def constant_model(*values, concepts=None):
    """LAP layers whose scores are constant, named `lap_0`, `lap_1` and so on."""
    concepts = concepts or [1] * len(values)
    laps = [
        LAPooling2D(
            2,
            strides=1,
            padding="same",
            concepts=count,
            initial_score=value,
            gating=None,
            name=f"lap_{index}",
        )
        for index, (value, count) in enumerate(zip(values, concepts, strict=True))
    ]
    model = keras.Sequential([keras.Input((8, 6, 3)), *laps])
    for lap in laps:
        kernel, bias = lap.head.logits.get_weights()
        lap.head.logits.set_weights([0 * kernel, bias])
    return model


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
    maps = explain(constant_model(0.9, 0.5, 0.2), np.ones((2, 8, 6, 3)), combine=how)
    assert maps.shape == (2, 8, 6, 1) and maps.dtype == np.float32
    np.testing.assert_allclose(maps, expected, rtol=1e-5)


def test_product_of_many_small_scores():
    model = constant_model(*[1e-9] * 6)
    maps = explain(model, np.ones((1, 8, 6, 3)), combine="product")
    np.testing.assert_allclose(maps, 1e-9, rtol=1e-4)


def test_choice_of_layers():
    model, image = constant_model(0.9, 0.5, 0.2), np.ones((1, 8, 6, 3))

    def value(**options):
        return explain(model, image, **options)[0, 0, 0, 0]

    assert value(layers=["lap_0", "lap_2"]) == pytest.approx(0.18)
    assert value(layers=["lap_1"]) == pytest.approx(0.5)
    assert value(layers="lap_1", combine="layer") == pytest.approx(0.5)
    assert value(layers=["lap_2", "lap_0"], combine="mean") == pytest.approx(0.55)


@pytest.mark.parametrize("how", ["flow", "mean", "product", "layer"])
def test_single_concept_serves_all(how, rng):
    model = constant_model(0.9, 0.5, 0.7, concepts=[1, 4, 1])
    kernel, bias = model.get_layer("lap_1").head.logits.get_weights()
    bias = rng.normal(0, 0.2, bias.shape)
    model.get_layer("lap_1").head.logits.set_weights([kernel, bias])
    images = np.ones((1, 8, 6, 3))
    with score_tape() as records:
        model(images)
    wanted = records[1].scores.numpy()[0, 0, 0]
    expected = {
        "flow": 0.9 * wanted * 0.7,
        "mean": (0.9 + wanted + 0.7) / 3,
        "product": (0.9 * wanted * 0.7) ** (1 / 3),
        "layer": [0.7],
    }[how]
    maps = explain(model, images, combine=how)
    assert maps.shape == (1, 8, 6, len(expected))
    np.testing.assert_allclose(maps[0, 3, 3], expected, rtol=1e-5)
    if how != "layer":
        chosen = explain(model, images, concepts=[3, 0], combine=how)
        np.testing.assert_array_equal(chosen, maps[..., [3, 0]])


# The flow, read slowly.


def slow_windows(size, layer):
    """For every window of a layer, the pixels it holds."""
    if layer.pool_size is None:
        return {(0, 0): list(np.ndindex(*size))}
    axes = []
    for axis in (0, 1):
        window, step = layer.pool_size[axis], layer.strides[axis]
        before, after = 0, 0
        if layer.padding == "same":
            lacking = (-(-size[axis] // step) - 1) * step + window - size[axis]
            before, after = max(lacking, 0) // 2, -(-max(lacking, 0) // 2)
        elif layer.padding != "valid":
            before, after = layer.padding[axis]
        starts = range(-before, size[axis] + after - window + 1, step)
        axes.append(
            [[p for p in range(s, s + window) if 0 <= p < size[axis]] for s in starts]
        )
    return {
        (i, j): list(itertools.product(axes[0][i], axes[1][j]))
        for i, j in np.ndindex(len(axes[0]), len(axes[1]))
    }


def slow_flow_step(layer, alpha, scores, attention, passed):
    """`R(p) = S(p) max_u w_{u,p} R(u)` of one image and one concept."""
    relevance = np.zeros(scores.shape)
    for u, pixels in slow_windows(scores.shape, layer).items():
        best = max(attention[p] for p in pixels)
        for p in pixels:
            distance = alpha * (best - attention[p])
            power = distance**2 if layer.weighting == "gaussian" else distance
            got_through = scores[p] * np.exp(-power) * passed[u]
            relevance[p] = max(relevance[p], got_through)
    return relevance


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
            scores = record.scores.numpy()[sample, ..., concept]
            attention = record.attention.numpy()[sample, ..., 0]
            relevance = (
                scores
                if relevance is None
                else slow_flow_step(record.layer, 3.0, scores, attention, relevance)
            )
        expected[sample, ..., concept] = relevance
    np.testing.assert_allclose(explain(model, images), expected, rtol=2e-5, atol=1e-7)


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
    scores, behind = (record.scores.numpy()[0, ..., 0] for record in records)
    # The first layer's outputs lie at 0.5, 1.5, ... and the second's inputs, after the
    # zeros at -0.5 and the halving, at 0, 2, 4, ...
    at = (np.arange(15) + 0.5) / 2
    low = np.minimum(at.astype(int), 6)
    part = np.minimum(at - low, 1)
    rows = (1 - part)[:, None] * behind[low] + part[:, None] * behind[low + 1]
    passed = (1 - part) * rows[:, low] + part * rows[:, low + 1]
    expected = slow_flow_step(first, 2.0, scores, scores, passed)
    np.testing.assert_allclose(
        explain(model, image)[0, ..., 0], expected, rtol=1e-5, atol=1e-7
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


# Models of many kinds.


def small_model(size=(16, 16), channels=3, nested=True):
    backbone = keras.Sequential(
        [
            keras.Input((*size, channels)),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            LAPooling2D(2, name="shallow"),
            layers.Conv2D(4, 3, padding="same", activation="relu"),
        ],
        name="backbone",
    )
    inputs = keras.Input((*size, channels))
    x = backbone(inputs) if nested else inputs
    if not nested:
        for layer in backbone.layers:
            x = layer(x)
    x = GlobalLAPooling2D(concepts=3, name="deep")(x)
    return keras.Model(inputs, layers.Dense(3)(x))


def test_nested_model_gives_the_maps_of_the_flat_one(rng):
    nested, flat = small_model(), small_model(nested=False)
    flat.set_weights(nested.get_weights())
    images = rng.random((3, 16, 16, 3))
    np.testing.assert_array_equal(explain(nested, images), explain(flat, images))


def test_batches_and_tensors_give_the_same_maps(rng):
    model, images = small_model(), rng.random((5, 16, 16, 3), "float32")
    maps = explain(model, images)
    np.testing.assert_allclose(explain(model, images, batch_size=2), maps, rtol=1e-6)
    np.testing.assert_array_equal(explain(model, tf.constant(images)), maps)
    np.testing.assert_array_equal(explain(model, images, concepts=[1]), maps[..., 1:2])


def test_one_forward_pass_per_batch(rng):
    model, passes = small_model(), []
    deep = model.get_layer("deep")
    call = deep.call
    deep.call = lambda inputs, training: passes.append(training) or call(inputs)
    explain(model, rng.random((5, 16, 16, 3)), batch_size=2)
    assert passes == [False] * 3


def test_model_stays_as_it_is(rng):
    model = convert(
        keras.applications.MobileNetV3Small(
            input_shape=(32, 32, 3), weights=None, classes=4
        ),
        hidden=4,
    )
    before = [weight.numpy() for weight in model.variables]
    maps = explain(model, rng.random((2, 32, 32, 3)) * 255)
    assert maps.shape == (2, 32, 32, 4)
    for weight, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_reloaded_model_gives_identical_maps(rng, tmp_path):
    model, images = small_model(), rng.random((2, 16, 16, 3))
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(explain(reloaded, images), explain(model, images))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy, rng):
    full = small_model()
    keras.config.set_dtype_policy(policy)
    try:
        mixed = small_model()
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(full.get_weights())
    images = rng.random((2, 16, 16, 3))
    maps = explain(mixed, images)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, explain(full, images), atol=2e-2)


def test_channels_first(rng):
    def model(data_format, shape):
        laps = [
            LAPooling2D(2, data_format=data_format),
            LAPooling2D(3, concepts=2, data_format=data_format),
        ]
        return keras.Sequential([keras.Input(shape), *laps])

    last, first = (
        model("channels_last", (12, 9, 3)),
        model("channels_first", (3, 12, 9)),
    )
    first.set_weights(last.get_weights())
    images = rng.random((2, 12, 9, 3))
    maps = explain(first, images.transpose(0, 3, 1, 2))
    assert maps.shape == (2, 12, 9, 2)
    np.testing.assert_allclose(maps, explain(last, images), rtol=1e-6)


def test_shared_layer_is_read_at_every_call(rng):
    lap = LAPooling2D(2)
    model = keras.Sequential([keras.Input((16, 16, 3)), lap, layers.ReLU(), lap])
    images = rng.random((1, 16, 16, 3), "float32")
    with score_tape() as records:
        model(images)
    first, second = (record.scores.numpy() for record in records)
    flow = explain(model, images)
    passed = slow_flow_step(lap, 2.0, *[first[0, ..., 0]] * 2, second[0, ..., 0])
    np.testing.assert_allclose(flow[0, ..., 0], passed, rtol=1e-5)
    deepest = explain(model, images, layers=[lap.name], combine="layer")
    placed = ReceptiveGrid((8, 8), (0.5, 0.5), (2, 2)).sample(
        second, ReceptiveGrid((16, 16))
    )
    np.testing.assert_array_equal(deepest, placed)


def test_subclassed_model(rng):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.stack = [LAPooling2D(2), LAPooling2D(2, concepts=2)]

        def call(self, inputs):
            return self.stack[1](self.stack[0](inputs))

    model, images = Subclassed(), rng.random((2, 12, 12, 3))
    with pytest.raises(ValueError, match="Expected a model that is built"):
        explain(model, images)
    model(images)
    maps = explain(model, images)
    functional = keras.Sequential([keras.Input((12, 12, 3)), *model.stack])
    np.testing.assert_allclose(maps, explain(functional, images), rtol=1e-6)


def test_images_of_any_size_where_the_model_leaves_it_open(rng):
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same")(inputs)
    model = keras.Model(inputs, GlobalLAPooling2D()(LAPooling2D(2)(x)))
    for size in ((16, 12), (15, 13)):
        assert explain(model, rng.random((1, *size, 3))).shape == (1, *size, 1)


def test_layers_without_concepts_are_left_out(rng):
    images = rng.random((1, 8, 8, 3))
    features = LAPooling2D(2, scores="features", gating=None, name="plain")
    scored = LAPooling2D(2, name="scored")
    model = keras.Sequential([keras.Input((8, 8, 3)), features, scored])
    maps = explain(model, images)
    assert maps.shape == (1, 8, 8, 1)
    with pytest.raises(
        ValueError, match=r"Received: 'plain'. The names are \['scored'"
    ):
        explain(model, images, layers=["plain"])
    model = keras.Sequential([keras.Input((8, 8, 3)), features])
    with pytest.raises(ValueError, match=r"keras_lap.convert.*'plain' with scores="):
        explain(model, images)


def test_maps_can_be_drawn(rng):
    images = rng.random((2, 16, 16, 3))
    maps = explain(small_model(), images, concepts=[0])
    assert draw_maps(images, {"LAP": maps}) is not None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"layers": ["lap_9"]}, r"Did you mean \['lap_2', 'lap_1', 'lap_0'\]"),
        ({"layers": ["lap_0", "x"]}, r"Received: 'x'. The names are \['lap_0'"),
        ({"layers": []}, "non-empty list of names"),
        ({"layers": ["lap_0", "lap_1"], "combine": "layer"}, "one layer with combine"),
        ({"combine": "sum"}, "Received: combine='sum'"),
        ({"concepts": [1]}, "from 0 to 0"),
        ({"concepts": [-1]}, "from 0 to 0"),
        ({"concepts": []}, "non-empty list of indices"),
        ({"concepts": 0}, "Received: concepts=0"),
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"batch_size": 1.5}, "Received: batch_size=1.5"),
    ],
)
def test_arguments_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        explain(constant_model(0.9, 0.5, 0.2), np.ones((1, 8, 6, 3)), **options)


@pytest.mark.parametrize(
    "shape, message",
    [
        ((8, 6, 3), r"rank 4.*shape=\(8, 6, 3\).*images\[None\]"),
        ((0, 8, 6, 3), "not empty"),
        ((1, 6, 8, 3), r"\('N', 8, 6, 3\).*Received: images.shape=\(1, 6, 8, 3\)"),
        ((1, 8, 6, 1), r"\('N', 8, 6, 3\)"),
    ],
)
def test_images_that_do_not_fit(shape, message):
    with pytest.raises(ValueError, match=message):
        explain(constant_model(0.5), np.ones(shape))


def test_models_that_do_not_fit():
    images = np.ones((1, 8, 6, 3))
    with pytest.raises(TypeError, match=r"keras.Model"):
        explain(LAPooling2D(2), images)
    plain = keras.Sequential([keras.Input((8, 6, 3)), layers.ReLU()], name="plain")
    with pytest.raises(ValueError, match=r"'plain' to have a LAP.*Received: no LAP"):
        explain(plain, images)
    inputs = [keras.Input((8, 6, 3)), keras.Input((8, 6, 3))]
    model = keras.Model(inputs, LAPooling2D(2)(layers.add(inputs)))
    with pytest.raises(ValueError, match="with 2 inputs"):
        explain(model, images)
    mixed = constant_model(0.5, 0.5, concepts=[2, 3])
    with pytest.raises(ValueError, match=r"'lap_0' with 2 concepts.*`layers`"):
        explain(mixed, images)
    assert explain(mixed, images, layers=["lap_0"]).shape == (1, 8, 6, 2)
