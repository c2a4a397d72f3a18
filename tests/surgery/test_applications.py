"""`convert` on whole networks of keras.applications, of families of all kinds."""

import collections
import contextlib
import csv
import types

import convert_applications as applications
import keras
import pytest
from backend_limits import ON_TORCH, shown_on_tensorflow
from keras import layers
from random_weights import random_weights

import keras_lap

SOFTMAX, FEATURES = 1e-5, 1e-4
# Converted by default as well; larger ones are planned so, as that takes seconds each.
SMALL = ("MobileNetV3Small",)
POOLINGS = (
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
)


def with_features(model):
    """The classifier, with its last feature map as a second output."""
    heads = [
        layer
        for kind in (layers.Flatten, layers.GlobalAveragePooling2D)
        for layer in model.layers
        if isinstance(layer, kind)
    ]
    return keras.Model(model.input, [model.output, heads[-1].input])


def poolings(model):
    return collections.Counter(
        type(layer).__name__
        for layer in model._flatten_layers()
        if isinstance(layer, POOLINGS)
    )


def large(*network):
    return pytest.param(*network, marks=pytest.mark.thorough)


@pytest.mark.parametrize(
    "name, size, laps, kinds, stays",
    [
        large("ConvNeXtTiny", 64, (1, 5), {"head": 1, "convolution": 4}, {}),
        large(
            "DenseNet121",
            64,
            (5, 6),
            {"max_pooling": 1, "average_pooling": 3, "head": 1, "convolution": 1},
            {},
        ),
        large(
            "EfficientNetB0",
            64,
            (1, 6),
            {"head": 1, "convolution": 1, "depthwise": 4},
            {"GlobalAveragePooling2D": 16},
        ),
        # Scales residuals by a custom layer.
        large(
            "InceptionResNetV2",
            75,
            (5, 11),
            {"max_pooling": 4, "head": 1, "convolution": 6},
            {"AveragePooling2D": 1},
        ),
        large(
            "InceptionV3",
            75,
            (5, 10),
            {"max_pooling": 4, "head": 1, "convolution": 5},
            {"AveragePooling2D": 9},
        ),
        (
            "MobileNetV3Small",
            64,
            (1, 6),
            {"head": 1, "convolution": 1, "depthwise": 4},
            {"GlobalAveragePooling2D": 9},
        ),
        large(
            "NASNetMobile",
            64,
            (21, 38),
            {
                "max_pooling": 8,
                "average_pooling": 12,
                "head": 1,
                "convolution": 1,
                "separable": 16,
            },
            {"AveragePooling2D": 40},
        ),
        # Three pairs of 1x1 convolutions share a LAP layer.
        (
            "ResNet50",
            64,
            (2, 6),
            {"max_pooling": 1, "head": 1, "pointwise": 6, "convolution": 1},
            {},
        ),
        # Three of the poolings are shortcuts that take every other pixel.
        large(
            "ResNet50V2",
            64,
            (5, 9),
            {"max_pooling": 4, "head": 1, "convolution": 4},
            {},
        ),
        large("VGG16", 64, (5, 5), {"max_pooling": 5}, {}),
        large(
            "Xception",
            71,
            (5, 10),
            {"max_pooling": 4, "head": 1, "pointwise": 4, "convolution": 1},
            {},
        ),
    ],
)
@pytest.mark.torch_suffices
def test_families(name, size, laps, kinds, stays, rng):
    if ON_TORCH and name == "NASNetMobile":
        pytest.skip("Keras has no NASNet on torch")
    images = applications.random_images(2, size, rng)
    classifier = applications.build(name, size)
    random_weights(classifier, images, rng)
    model = with_features(classifier)
    expected = softmax, features = model(images)
    assert 0.01 < float(keras.ops.max(softmax)) < 0.9
    assert float(keras.ops.std(features)) > 0.1
    for where, count in zip(applications.WHERE, laps, strict=True):
        rows = keras_lap.plan(model, where=where).rows
        assert len({row.lap for row in rows} - {None}) == count
        if where != "all" and name not in SMALL:
            continue
        converted = keras_lap.convert(model, where=where)
        results = converted(images)
        assert applications.difference(results[0], softmax)[0] <= SOFTMAX
        assert applications.difference(results[1], features)[1] <= FEATURES
        lap_layers = keras_lap.lap_layers(converted)
        assert len(lap_layers) == count
    assert applications.replaced(model, converted) == kinds
    assert poolings(converted) == stays
    estimate = keras_lap.plan(model, where="all").estimate()
    assert estimate.before.parameters == model.count_params()
    assert estimate.after.parameters == converted.count_params()
    # What has no effect could not be compared.
    for layer in lap_layers:
        layer.gate.assign(1)
    assert applications.difference(converted(images), expected)[1] > FEATURES


@pytest.mark.torch_suffices
def test_without_top(rng):
    images = applications.random_images(2, 64, rng)
    model = applications.build("VGG16", 64, include_top=False)
    random_weights(model, images, rng)
    converted = keras_lap.convert(model, where="all")
    assert len(keras_lap.lap_layers(converted)) == 5
    assert applications.difference(converted(images), model(images))[1] <= FEATURES


@pytest.mark.torch_suffices
def test_without_top_and_without_pooling():
    model = applications.build("MobileNetV2", 32, include_top=False)
    with pytest.raises(ValueError, match=r'Conv1.*only with where="all"'):
        keras_lap.convert(model)
    converted = keras_lap.convert(applications.with_pooling(model))
    assert len(keras_lap.lap_layers(converted)) == 1


def test_all_forty_are_known():
    names = applications.applications()
    assert len(names) == 40
    assert {"ConvNeXtXLarge", "EfficientNetV2L", "NASNetLarge", "Xception"} < {*names}


def in_this_process(kind):
    """A context of `multiprocessing` whose pools start no process."""
    pool = types.SimpleNamespace(imap=lambda call, items, chunksize: map(call, items))
    return types.SimpleNamespace(Pool=lambda *_, **__: contextlib.nullcontext(pool))


@shown_on_tensorflow
def test_the_script_writes_a_row_for_each(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(applications.multiprocessing, "get_context", in_this_process)
    files = tmp_path / "rows.csv", tmp_path / "page.md"
    options = ["--models", "MobileNet", "--size", "32", "--machine", "a machine"]
    applications.main([*options, "--csv", str(files[0]), "--page", str(files[1])])
    assert capsys.readouterr().out.count("MobileNet") == 1
    (row,) = csv.DictReader(files[0].open())
    assert row["network"] == "MobileNet"
    assert (row["size"], row["head"], row["depthwise"]) == ("32", "1", "4")
    assert float(row["softmax_all"]) <= SOFTMAX
    assert float(row["features_all"]) <= FEATURES
    assert int(row["extra_parameters_pooling"]) > 1_000_000
    page = files[1].read_text()
    assert "All 1 networks" in page and "a machine" in page
    table = [line.split("|") for line in page.splitlines() if line.startswith("|")]
    assert len({len(cells) for cells in table}) == 1
    assert len(table) == 3
