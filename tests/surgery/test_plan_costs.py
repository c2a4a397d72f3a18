"""Costs and receptive fields where sizes are unknown or channels come first."""

import importlib
import pathlib
import re

import keras
import pytest
import tensorflow as tf
from keras import layers
from keras.src.applications.nasnet import NASNet
from networks import reaches_of, row_of
from tolerances import assert_close

import keras_lap

ROOT = pathlib.Path(__file__).parents[2]


# Maps whose sizes Keras does not know.


def doubled(x):
    """Resizes to a size that is known only once there are images."""
    return layers.Lambda(lambda x: tf.image.resize(x, tf.shape(x)[1:3] * 2))(x)


def model_with_unknown_sizes(classes=5):
    x = inputs = keras.Input((16, 16, 3))
    x = layers.MaxPooling2D(name="known")(x)
    x = layers.Conv2D(4, 3, padding="same", name="before")(x)
    x = doubled(x)
    x = layers.Conv2D(4, 3, strides=2, name="strided")(x)
    x = layers.MaxPooling2D(name="unknown")(x)
    x = layers.GlobalAveragePooling2D(name="head")(x)
    return keras.Model(inputs, layers.Dense(classes)(x))


def test_unknown_sizes_do_not_stop_a_conversion(rng):
    model = model_with_unknown_sizes()
    images = rng.normal(size=(2, 16, 16, 3)).astype("float32")
    converted = keras_lap.convert(model, where="all")
    names = [layer.name for layer in keras_lap.lap_layers(converted)]
    assert names == ["known", "strided_lap", "unknown", "head"]
    assert_close(converted(images), model(images), rtol=1e-5, atol=2e-6)


def test_reach_behind_unknown_sizes():
    model = model_with_unknown_sizes()
    # A stride that is not known of, here a half, does not count.
    assert reaches_of(keras_lap.plan(model, where="all")) == {
        "known": (0, (1, 1)),
        "strided_lap": (1, None),
        "unknown": (2, None),
        "head": (3, None),
    }
    many = keras_lap.plan(model_with_unknown_sizes(40))
    assert [row.concepts for row in many.rows if row.lap] == [1, 1, 40]


def test_a_known_size_behind_an_unknown_one():
    x = inputs = keras.Input((16, 16, 3))
    x = doubled(layers.MaxPooling2D(name="known")(x))
    x = layers.Resizing(8, 8)(x)
    x = layers.MaxPooling2D(name="again")(x)
    plan = keras_lap.plan(keras.Model(inputs, x))
    assert reaches_of(plan)["again"] == (1, None)
    # Of 64 pixels, a score each from 3 channels, and 16 windows of 4 pixels.
    assert row_of(plan, "again").cost.multiply_adds == 64 * 3 + 16 * 4 * 3
    assert "+384" in next(x for x in str(plan).splitlines() if x.startswith("again"))


def test_a_merged_map_has_the_stride_that_is_known():
    x = inputs = keras.Input((16, 16, 3))
    skip = layers.MaxPooling2D(name="skip")(x)
    deep = layers.MaxPooling2D(name="deep")(skip)
    x = layers.Concatenate()([doubled(deep), skip])
    plan = keras_lap.plan(keras.Model(inputs, layers.MaxPooling2D(name="last")(x)))
    assert reaches_of(plan)["last"] == (1, None)


def test_a_map_of_unknown_size_that_was_made_of_none():
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Reshape((4, 4, 1))(layers.Dense(16)(layers.Flatten()(x)))
    plan = keras_lap.plan(keras.Model(inputs, layers.MaxPooling2D(name="p")(x)))
    assert reaches_of(plan) == {"p": (1, (8, 8))}

    def reshaped(x):
        pixels = tf.size(x) // tf.size(x[:, :1]) // 3
        return tf.reshape(x, (tf.shape(x)[0], pixels // 2, 2, 3))

    x = layers.Lambda(reshaped)(layers.Flatten()(inputs))
    assert x.shape == (None, None, 2, 3)
    plan = keras_lap.plan(keras.Model(inputs, layers.MaxPooling2D(name="p")(x)))
    assert reaches_of(plan) == {"p": (0, None)}


def test_unknown_sizes_are_not_counted():
    plan = keras_lap.plan(model_with_unknown_sizes(), where="all")
    estimate = plan.estimate()
    assert estimate.before.multiply_adds == 8 * 8 * 4 * 9 * 3 + 4 * 5
    # Two maps of 8x8 pixels, the head's vector, the logits.
    numbers = 8 * 8 * (3 + 4) + 4 + 5
    assert estimate.before.activation_bytes == 4 * numbers
    converted = keras_lap.convert(plan.model, plan)
    assert estimate.after.parameters == converted.count_params()
    assert estimate.after == keras_lap.plan(converted).estimate().before
    row = row_of(plan, "unknown")
    assert (row.cost.multiply_adds, row.cost.activation_bytes) == (0, 0)
    assert row.cost.parameters > 0
    line = next(line for line in str(plan).splitlines() if line.startswith("unknown"))
    assert re.split(r"\s{2,}", line) == [
        "unknown", "MaxPooling2D", "2", "2x2", "5", f"+{row.cost.parameters}",
        "in its place",
    ]  # fmt: skip
    assert plan._repr_html_().count("></td>") == 2 * 3


def test_images_of_open_size_need_not_fit_together():
    full, half = keras.Input((None, None, 3)), keras.Input((None, None, 3))
    x = layers.MaxPooling2D(name="pool")(layers.Conv2D(4, 1)(full))
    x = layers.Add()([x, layers.Conv2D(4, 1)(half)])
    x = layers.GlobalAveragePooling2D(name="head")(x)
    text = keras.Input((None, 4))
    word = layers.Dense(4)(layers.GlobalAveragePooling1D()(text))
    plan = keras_lap.plan(keras.Model([full, half, text], x + word), image_size=8)
    assert reaches_of(plan) == {"pool": (0, (1, 1)), "head": (1, None)}
    # Two convolutions of 8x8 pixels and one vector.
    assert plan.estimate().before.multiply_adds == 2 * 64 * 3 * 4 + 4 * 4


def test_a_size_that_the_model_does_not_take_is_told():
    inputs = keras.Input((None, None, 3))
    x = layers.UpSampling2D()(layers.MaxPooling2D()(inputs))
    model = keras.Model(inputs, layers.Add(name="skip")([x, inputs]))
    with pytest.raises(ValueError, match=r"'skip' fails .*\(7, 7, 3\).*`image_size="):
        keras_lap.plan(model, image_size=7)
    assert len(keras_lap.plan(model).places) == 1


# Nested models.


@pytest.mark.parametrize("struct", [list, lambda inputs: {x.name: x for x in inputs}])
@pytest.mark.parametrize("more", [(), ("width",)])
def test_a_dict_is_handed_to_a_nested_model_by_name(struct, more):
    wide, low = keras.Input((8, 32, 2), name="wide"), keras.Input((8, 8, 3), name="low")
    x = layers.Conv2D(4, (1, 4), strides=(1, 4), name="conv")(wide)
    x = layers.Concatenate()([x, layers.Conv2D(1, 3, padding="same")(low)])
    inner = keras.Model(
        struct([wide, low]), layers.MaxPooling2D(name="pool")(x), name="inner"
    )
    given = {
        name: keras.Input(inner.get_layer(name).batch_shape[1:], name=name)
        for name in ("low", "wide")
    }
    x = inner({**given, **dict.fromkeys(more, given["low"])})
    plan = keras_lap.plan(keras.Model(list(given.values()), x))
    convolutions = 8 * 8 * 4 * (4 * 2) + 8 * 8 * (9 * 3)
    assert plan.estimate().before.multiply_adds == convolutions
    assert reaches_of(plan)["inner/pool"] == (2, (3, 4))


def blocks_in_a_row(is_shared):
    """Two blocks that halve maps of any size, or one of them called twice."""

    def block(name):
        open_map = keras.Input((None, None, 8))
        x = layers.Conv2D(8, 3, padding="same")(open_map)
        return keras.Model(open_map, layers.MaxPooling2D(name="pool")(x), name=name)

    first = block("first")
    second = first if is_shared else block("second")
    inputs = keras.Input((64, 64, 3))
    x = second(first(layers.Conv2D(8, 1)(inputs)))
    x = layers.MaxPooling2D(name="last")(x)
    x = layers.GlobalAveragePooling2D(name="head")(x)
    return keras.Model(inputs, layers.Dense(3)(x))


@pytest.mark.parametrize("is_shared", [False, True])
def test_every_run_of_a_nested_model_counts(is_shared):
    plan = keras_lap.plan(blocks_in_a_row(is_shared))
    found = reaches_of(plan)
    assert found.pop("second/pool", None) == (None if is_shared else (1, (8, 8)))
    # In steps of its stride a block sees 2 more by its convolution, 1 by its pooling.
    assert found == {
        "first/pool": (0, (3, 3)),
        "last": (2, (10, 10)),
        "head": (3, (14, 14)),
    }
    estimate = plan.estimate()
    convolutions = 8 * 3 * 64**2 + 8 * 8 * 9 * (64**2 + 32**2)
    assert estimate.before.multiply_adds == convolutions + 8 * 3
    # Maps after the first convolution and in the blocks, `last`, `head` and the logits.
    numbers = 8 * (2 * 64**2 + 2 * 32**2 + 16**2 + 8**2 + 1) + 3
    assert estimate.before.activation_bytes == 4 * numbers
    again = keras_lap.plan(keras_lap.convert(plan.model, plan))
    assert again.estimate().before == estimate.after


# Channels first.


def dense_blocks(data_format):
    """A small DenseNet: pre-activation, concatenation, an average pooling a block."""
    axis = 1 if data_format == "channels_first" else -1
    layout = {"data_format": data_format}
    x = inputs = keras.Input((3, 64, 64) if axis == 1 else (64, 64, 3))
    for block in range(3):
        for _ in range(3):
            y = layers.ReLU()(layers.BatchNormalization(axis=axis)(x))
            y = layers.Conv2D(12, 3, padding="same", **layout)(y)
            x = layers.Concatenate(axis=axis)([x, y])
        x = layers.Conv2D(x.shape[axis] // 2, 1, **layout)(x)
        x = layers.AveragePooling2D(2, name=f"pool{block}", **layout)(x)
    x = layers.GlobalAveragePooling2D(name="head", **layout)(x)
    return keras.Model(inputs, layers.Dense(40)(x))


@pytest.mark.parametrize("setting", ["channels_last", "channels_first"])
def test_channels_first_is_read_off_the_model(setting, request):
    before = keras.config.image_data_format()
    request.addfinalizer(lambda: keras.config.set_image_data_format(before))
    keras.config.set_image_data_format(setting)
    plans = [
        keras_lap.plan(dense_blocks(data_format))
        for data_format in ("channels_first", "channels_last")
    ]
    # Each block has three 3x3 convolutions at its stride, each pooling adds a stride.
    expected = {
        "pool0": (0, (7, 7)),
        "pool1": (1, (20, 20)),
        "pool2": (2, (46, 46)),
        "head": (3, (50, 50)),
    }
    for plan in plans:
        assert reaches_of(plan) == expected
        assert [row.concepts for row in plan.rows] == [1, 1, 1, 40]
    assert plans[0].estimate() == plans[1].estimate()


def test_a_slice_of_channels_leaves_the_stage():
    x = inputs = keras.Input((4, 32, 32))
    x = layers.MaxPooling2D(data_format="channels_first", name="a")(x)
    x = layers.MaxPooling2D(data_format="channels_first", name="b")(x[:, :2])
    plan = keras_lap.plan(keras.Model(inputs, x))
    assert reaches_of(plan) == {"a": (0, (1, 1)), "b": (1, (2, 2))}


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_channels_that_are_taken_apart_and_stacked_are_a_map(data_format):
    layout = {"data_format": data_format}
    x = inputs = keras.Input((32, 32, 3))
    if data_format == "channels_first":
        x = layers.Permute((3, 1, 2))(x)
    x = keras.applications.resnet.preprocess_input(x, data_format)
    x = layers.MaxPooling2D(name="a", **layout)(layers.Conv2D(4, 3, **layout)(x))
    plan = keras_lap.plan(keras.Model(inputs, x))
    assert reaches_of(plan) == {"a": (0, (3, 3))}


def test_pooling_by_operations_stays_and_is_followed():
    x = inputs = keras.Input((32, 32, 3))
    x = layers.MaxPooling2D(name="a")(keras.ops.max_pool(x, 2))
    x = keras.ops.max_pool(x, 3, 1, "same")
    x = x * keras.ops.mean(x, axis=(1, 2), keepdims=True)
    x = keras.ops.mean(keras.ops.average_pool(x, 2), axis=(-3, -2))
    plan = keras_lap.plan(keras.Model(inputs, layers.Dense(4)(x)))
    assert reaches_of(plan) == {"a": (1, (2, 2))}
    stays = [(row.kind, row.reason) for row in plan.rows if not row.lap]
    assert [kind for kind, _ in stays] == ["MaxPool", "AveragePool", "Mean"]
    instead = "it is an operation: use the layer `GlobalAveragePooling2D`"
    assert stays[-1] == ("Mean", instead)


@pytest.mark.parametrize("transposed", [False, True])
def test_channels_first_map_that_was_made_of_the_whole_image(transposed):
    x = inputs = keras.Input((64, 32, 3) if transposed else (3, 64, 32))
    if transposed:
        x = layers.Permute((3, 1, 2))(x)
        x = layers.Conv2D(1, 3, data_format="channels_first")(x)
    x = layers.Dense(8 * 16 * 8)(layers.Flatten()(x))
    x = layers.Reshape((8, 16, 8))(x)
    x = layers.MaxPooling2D(data_format="channels_first", name="pool")(x)
    plan = keras_lap.plan(keras.Model(inputs, x))
    assert reaches_of(plan) == {"pool": (2, (64, 32))}


# The table.


def test_the_table_fits_a_terminal():
    # Else the layers without a name get longer ones, by the tests before.
    keras.utils.clear_session()
    # The table of NASNetMobile is the widest; with less of what repeats it is as wide.
    model = NASNet((224, 224, 3), 1056, 1, 32, False, weights=None)
    plan = keras_lap.plan(model)
    lines = str(plan).splitlines()
    assert max(map(len, lines)) <= 120
    laps = [row.layer for row in plan.rows if row.lap]
    assert [line.split()[0] for line in lines[2 : 2 + len(laps)]] == laps
    notes = " ".join(lines[2 + len(laps) : -1])
    staying = [row for row in plan.rows if not row.lap]
    for reason in {row.reason for row in staying}:
        assert notes.count(f"stays: {reason}") == 1
    words = notes.replace(",", " ").split()
    assert all(words.count(row.layer) == 1 for row in staying)


# The script that measures all networks.


@pytest.mark.parametrize("models, size", [(["VGG16"], None), (None, 64)])
def test_part_of_the_networks_leaves_the_published_page(models, size):
    script = importlib.import_module("convert_applications")
    files = script.default_files(models or script.applications(), size)
    assert {path.parent for path in files} == {ROOT / "results"}
    files = script.default_files(reversed(script.applications()), None)
    assert [path.parent.name for path in files] == ["benchmarks", "docs"]
    assert all(path.exists() for path in files)
