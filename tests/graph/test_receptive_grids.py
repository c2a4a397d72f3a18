import keras
import numpy as np
import pytest
from autodiff import gradients
from backend_limits import shown_on_tensorflow
from keras import layers, ops
from keras.src.ops import numpy as operations
from tolerances import assert_close, tolerance

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.graph.receptive_grid import ReceptiveGrid
from keras_lap.graph.receptive_grids import IMAGE, CallPlace, receptive_grids
from keras_lap.layers import score_tape

pytestmark = pytest.mark.torch_suffices


def place_behind(model, **options):
    """The `CallPlace` of the model's output, found as the input of one more layer."""
    end = layers.Identity(name="end")
    longer = keras.Model(model.inputs, end(model.outputs[0]))
    height, width = model.inputs[0].shape[1:3]
    size = end.input.shape[1:3]
    return receptive_grids(longer, (height, width), [(end, size)], **options)[0]


def grid_behind(model):
    return place_behind(model).grid


def only_positive(model):
    """Makes all kernels positive, so that no influence is cut off or cancels out."""
    for layer in model._flatten_layers(include_self=False):
        if not isinstance(layer, layers.BatchNormalization):
            layer.set_weights([np.abs(weight) + 1e-3 for weight in layer.get_weights()])


def receptive_field(model, pixel, batch=12):
    """First and last pixel of the image, per axis, that an output pixel depends on."""
    shape = (batch, *model.inputs[0].shape[1:])
    # A maximum depends on one pixel at a time: each image shows another one.
    images = np.random.default_rng(0).random(shape, "float32")

    def outputs(tensors):
        return model(tensors["images"], training=False)[:, pixel[0], pixel[1]]

    gradient = ops.convert_to_numpy(gradients(outputs, {"images": images})["images"])
    gradient = np.abs(gradient).sum((0, 3)) > 0
    seen = [np.flatnonzero(gradient.any(1 - axis)) for axis in (0, 1)]
    return [(int(places[0]), int(places[-1])) for places in seen]


def assert_centred(model, pixel):
    fields = receptive_field(model, pixel)
    grid = grid_behind(model)
    for axis, (first, last) in enumerate(fields):
        size = model.inputs[0].shape[1 + axis]
        assert 0 < first < last < size - 1, "cut off by the border"
        position = grid.offset[axis] + grid.stride[axis] * pixel[axis]
        assert position == (first + last) / 2


def sequential(*stack, size=(26, 21)):
    model = keras.Sequential([keras.Input((*size, 2)), *stack])
    only_positive(model)
    return model


WINDOWS = {
    "convolution": lambda **geometry: layers.Conv2D(2, (3, 4), **geometry),
    "depthwise": lambda **geometry: layers.DepthwiseConv2D((5, 2), **geometry),
    "separable": lambda **geometry: layers.SeparableConv2D(2, (4, 3), **geometry),
    "max": lambda **geometry: layers.MaxPooling2D((3, 2), **geometry),
    "average": lambda **geometry: layers.AveragePooling2D((2, 5), **geometry),
    "lap": lambda **geometry: LAPooling2D((4, 3), **geometry),
}


@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.one_in(4)
def test_windows(kind, padding, strides):
    for size in ((26, 21), (21, 26), (25, 23)):
        layer = WINDOWS[kind](padding=padding, strides=strides)
        assert_centred(sequential(layer, size=size), (3, 3))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_dilation(padding):
    convolution = layers.Conv2D(2, (3, 2), dilation_rate=(3, 4), padding=padding)
    assert_centred(sequential(convolution), (10, 9))
    depthwise = layers.DepthwiseConv2D(3, dilation_rate=2, padding=padding)
    assert_centred(sequential(depthwise), (10, 9))


def test_explicit_padding_of_lap():
    pooling = LAPooling2D(3, strides=2, padding=((2, 0), (1, 2)))
    assert_centred(sequential(pooling), (3, 4))


def test_zero_padding_and_cropping():
    grid = grid_behind(sequential(layers.ZeroPadding2D(((1, 2), (3, 0)))))
    assert grid == ReceptiveGrid((29, 24), (-1, -3), (1, 1))
    grid = grid_behind(sequential(layers.Cropping2D(((1, 2), (3, 0)))))
    assert grid == ReceptiveGrid((23, 18), (1, 3), (1, 1))


CUT = {
    "slice": lambda x: x[:, 3:20, 4:20],
    "slice with steps": lambda x: x[:, 1::3, ..., 2:-1:2, :],
    "slice of rows": lambda x: x[:, 5:],
    "centre crop": layers.CenterCrop(12, 9),
    "centre crop of a smaller image": layers.CenterCrop(30, 20),
    "resizing": layers.Resizing(40, 30),
    "resizing, cropped": layers.Resizing(11, 20, crop_to_aspect_ratio=True),
    "resizing, padded": layers.Resizing(11, 20, pad_to_aspect_ratio=True),
    "resized by a function": lambda x: ops.image.resize(
        x, (11, 20), crop_to_aspect_ratio=True
    ),
    "cropped by a function": lambda x: ops.image.crop_images(
        x, bottom_cropping=3, target_height=20, left_cropping=2, right_cropping=1
    ),
    "padded by a function": lambda x: ops.image.pad_images(
        x, bottom_padding=3, target_height=32, left_padding=2, right_padding=1
    ),
    "pad": lambda x: ops.pad(x, ((0, 0), (3, 1), (0, 2), (0, 0))),
    "pad by mirroring": lambda x: ops.pad(
        x, ((0, 0), (3, 1), (4, 2), (0, 0)), "reflect"
    ),
    "pooled by a function": lambda x: ops.average_pool(x, (3, 4), 2, "same"),
    "patches": lambda x: ops.image.extract_patches(x, 3, strides=2)[..., 8:10],
    "turned to another layout and back": lambda x: ops.moveaxis(
        layers.Permute((3, 1, 2))(x[:, 3:]), 1, 3
    ),
    "attention made of no map, in front": lambda x: (
        ops.expand_dims(ops.mean(x[:, 3:], axis=-1), -1) * 0 + x[:, 3:]
    ),
    "groups of channels by hand": lambda x: ops.reshape(
        layers.ReLU()(ops.reshape(x[:, 3:], (-1, 24, 24, 2, 1))), (-1, 24, 24, 2)
    ),
    "turned by functions": lambda x: ops.swapaxes(
        ops.transpose(x[:, 3:], (0, 3, 2, 1)), 1, 3
    ),
    "shuffled channels": lambda x: layers.Reshape((24, 24, 2))(
        layers.Permute((1, 2, 4, 3))(ops.reshape(x[:, 3:], (-1, 24, 24, 1, 2)))
    ),
}


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
def test_cut_and_resized_images(cut):
    """The value of a pixel of the image is its row or its column."""
    size = 27, 24
    inputs = keras.Input((*size, 2))
    model = keras.Model(inputs, cut(inputs))
    image = np.moveaxis(np.indices(size, "float32"), 0, -1)
    grid, found = grid_behind(model), np.array(model(image[None]))[0]
    places = [
        first + step * np.arange(count)
        for first, step, count in zip(grid.offset, grid.stride, grid.size, strict=True)
    ]
    for axis in (0, 1):
        centre = np.abs(places[1 - axis] - size[1 - axis] / 2).argmin()
        values = np.take(found[..., axis], centre, axis=1 - axis)
        # Resized pixels at the borders are mixed with less, or with padding.
        seen = (places[axis] > 1) & (places[axis] < size[axis] - 2)
        seen[[0, -1]] = False
        assert seen.sum() > 3
        # Of the four weights in a sum each is rounded, too.
        assert_close(values[seen], places[axis][seen], **tolerance("float32", 2 * 4))


def test_slices_with_channels_first():
    inputs = keras.Input((2, 26, 21))
    end = layers.UpSampling2D(1, data_format="channels_first")
    model = keras.Model(inputs, end(inputs[..., 4:, :9]))
    places = receptive_grids(model, (26, 21), [(end, (22, 9))])
    assert places[0].grid == ReceptiveGrid((22, 9), (4, 0))


def cropping(x):
    return x[:, 2:, 2:]


class Cropping(layers.Layer):
    def call(self, x):
        return cropping(x)


class Scaling(layers.Layer):
    def call(self, x):
        return 2 * x


def by_groups(x, step):
    """What a step makes of a map whose channels have two axes."""
    return ops.reshape(step(ops.reshape(x, (-1, 24, 24, 2, 1))), (-1, 24, 24, 2))


STEP = "step"
# What is done to a map of 24 x 24 pixels and 2 channels by a step of that name.
GUESSES = {
    "flip of groups": lambda x: by_groups(x, operations.Flip(axis=1, name=STEP)),
    "roll of groups": lambda x: by_groups(x, operations.Roll(2, axis=-3, name=STEP)),
    "flip": lambda x: operations.Flip(axis=(1, 2), name=STEP)(x),
    "flip all": lambda x: operations.Flip(name=STEP)(x),
    "roll": lambda x: operations.Roll(2, axis=-2, name=STEP)(x),
    "turn": lambda x: operations.Rot90(axes=(1, 2), name=STEP)(x),
    "reversed slice": lambda x: operations.GetItem(name=STEP)(x, np.s_[:, ::-1]),
    "chosen rows": lambda x: operations.Take(axis=1, name=STEP)(x, [3, 1, 2]),
    "half": lambda x: operations.Split(2, axis=1, name=STEP)(x)[1],
    "rows for columns": layers.Permute((2, 1, 3), name=STEP),
    "rows for columns, channels first": layers.Permute((3, 2, 1), name=STEP),
    "reshaping": layers.Reshape((12, 12, 8), name=STEP),
    "side by side": lambda x: layers.Concatenate(axis=2, name=STEP)([x, x]),
    "lambda": layers.Lambda(cropping, name=STEP),
    "own layer": Cropping(name=STEP),
    "own layer, merged": lambda x: layers.Add()([Cropping(name=STEP)(x), x[:, 2:, 2:]]),
    "flip, merged": lambda x: x + operations.Flip(axis=1, name=STEP)(x),
    "lambda, and more": lambda x: layers.MaxPooling2D()(
        layers.ReLU()(layers.Lambda(cropping, name=STEP)(x))
    ),
}
TRUSTED = {
    "rolled groups": lambda x: by_groups(x, operations.Roll(1, axis=-2)),
    "own layer": Scaling(),
    "lambda": layers.Lambda(lambda x: 2 * x),
    "reversed channels": lambda x: ops.flip(x[..., ::-1], axis=-1),
    "chosen channels": lambda x: ops.take(x, [1, 0], axis=-1),
    "one channel": lambda x: x[..., 0, None],
    "half of the channels": lambda x: ops.split(x, 2, axis=-1)[0],
    "rolled channels": lambda x: ops.roll(x, 1, axis=(3,)),
    "pooled": lambda x: ops.mean(x, axis=(1, 2), keepdims=True),
    "upsampling": layers.UpSampling2D(),
    "adaptive pooling": layers.AdaptiveAveragePooling2D((5, 4)),
    "repeated rows": lambda x: ops.repeat(x, 2, axis=1),
    "depth to space": lambda x: ops.space_to_depth(x, 2),
    "wrapped": layers.SpectralNormalization(layers.Conv2D(2, 3, strides=2)),
    "squeeze and excite": lambda x: layers.Multiply()(
        [layers.Reshape((1, 1, 2))(layers.GlobalAveragePooling2D()(x)), x]
    ),
    "guess in a gate": lambda x: layers.Multiply()(
        [layers.Lambda(lambda x: x[:, :1, :1])(ops.flip(x, axis=1)), x]
    ),
    "noise and dropout": lambda x: layers.SpatialDropout2D(0.5)(
        layers.GaussianNoise(0.1)(layers.RandomFlip()(x))
    ),
    "tokens": lambda x: layers.Reshape((24, 24, 2))(
        layers.LayerNormalization()(layers.Reshape((576, 2))(x))
    ),
}


@pytest.mark.parametrize("step", GUESSES.values(), ids=GUESSES)
def test_guesses(step):
    inputs = keras.Input((24, 24, 2))
    place = place_behind(keras.Model(inputs, step(inputs)))
    assert place.guesses == (STEP,)
    assert place.grid == ReceptiveGrid((24, 24)).resized(place.grid.size)


@shown_on_tensorflow
@pytest.mark.tensorflow_too
def test_size_known_to_the_data_alone_is_a_guess():
    import tensorflow as tf

    inputs = keras.Input((24, 24, 2))
    doubled = layers.Lambda(
        lambda x: tf.image.resize(x, 2 * tf.shape(x)[1:3]),
        output_shape=(None, None, 2),
        name=STEP,
    )
    end = layers.Identity()
    model = keras.Model(inputs, end(layers.ReLU()(doubled(inputs[:, 4:]))))
    (place,) = receptive_grids(model, (24, 24), [(end, (40, 48))])
    grid = ReceptiveGrid((20, 24), (4, 0)).resized((40, 48))
    assert place == CallPlace(grid, {IMAGE}, (STEP,), {0})


@pytest.mark.parametrize("step", TRUSTED.values(), ids=TRUSTED)
def test_trusted(step):
    inputs = keras.Input((24, 24, 2))
    assert place_behind(keras.Model(inputs, step(inputs))).guesses == ()


def test_stack_of_everything():
    model = sequential(
        layers.Rescaling(2.0),
        layers.ZeroPadding2D(((0, 1), (0, 1))),
        layers.Conv2D(2, 3, strides=2),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.DepthwiseConv2D(3, padding="same"),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.Cropping2D(1),
        layers.Dense(3),
        layers.Dropout(0.5),
        layers.AveragePooling2D(2),
        size=(64, 61),
    )
    assert_centred(model, (2, 2))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2DTranspose(2, 3, strides=2, padding="same"),
        layers.Conv2DTranspose(2, 4, strides=2, padding="same"),
        layers.Conv2DTranspose(2, (2, 5), strides=3, padding="same"),
        layers.Conv2DTranspose(2, (4, 3), strides=2, padding="valid"),
        layers.Conv2DTranspose(2, 3, dilation_rate=2, padding="valid"),
        layers.UpSampling2D((2, 3)),
    ],
)
def test_upsampling_layers(layer):
    model = sequential(layer)
    pixel = (12, 9)
    image = np.zeros((1, 26, 21, 2), "float32")
    image[:, pixel[0], pixel[1]] = 1
    changed = ops.convert_to_numpy(model(image) - model(0 * image))
    changed = np.abs(changed).sum((0, 3)) > 0
    grid = grid_behind(model)
    for axis in (0, 1):
        reached = np.flatnonzero(changed.any(1 - axis))
        centre = (reached[0] + reached[-1]) / 2
        position = grid.offset[axis] + grid.stride[axis] * centre
        assert position == pytest.approx(pixel[axis])


def assert_centred_inside(backbone, names):
    for name in names:
        model = keras.Model(backbone.inputs, backbone.get_layer(name).output)
        height, width = model.outputs[0].shape[1:3]
        assert_centred(model, (height // 2, width // 2))


def test_resnet():
    backbone = keras.applications.ResNet50V2(
        weights=None, include_top=False, input_shape=(96, 90, 3)
    )
    only_positive(backbone)
    assert_centred_inside(
        backbone, ["pool1_pool", "conv2_block2_out", "conv3_block1_out"]
    )


@pytest.mark.parametrize("size", [(96, 96), (97, 94)])
def test_mobilenet_pads_on_one_side(size):
    backbone = keras.applications.MobileNet(
        alpha=0.25, weights=None, include_top=False, input_shape=(*size, 3)
    )
    only_positive(backbone)
    # Its ReLU stops at 6, where nothing would depend on the image any more.
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.gamma.assign(1e-3 * keras.ops.ones_like(layer.gamma))
    assert_centred_inside(backbone, ["conv_dw_2_relu", "conv_pw_5_relu"])


def test_size_is_that_of_the_image_where_the_model_leaves_it_open():
    inputs = keras.Input((None, None, 3))
    layer = LAPooling2D(2)
    layer(layers.Conv2D(2, 3, strides=2, padding="same")(inputs))
    model = keras.Model(inputs, layer.output)
    offsets = [
        receptive_grids(model, size, [(layer, (half, half))])[0].grid.offset
        for size, half in (((8, 8), 4), ((7, 7), 4))
    ]
    assert offsets == [(1, 1), (0, 0)]


def test_merge_counts_the_map_of_its_own_size():
    inputs = keras.Input((16, 16, 4))
    x = layers.Conv2D(4, 3, strides=2)(inputs)
    gate = layers.Dense(4)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    for merged in (layers.Multiply()([gate, x]), gate * x):
        grid = grid_behind(keras.Model(inputs, merged))
        assert grid == ReceptiveGrid((7, 7), (1, 1), (2, 2))
    gate = layers.Reshape((1, 1, 4))(layers.GlobalAveragePooling2D()(x))
    grid = grid_behind(keras.Model(inputs, layers.Add()([gate, x])))
    assert grid == ReceptiveGrid((7, 7), (1, 1), (2, 2))


def test_unknown_step_keeps_the_extent():
    inputs = keras.Input((16, 16, 3))
    x = layers.ZeroPadding2D(((2, 0), (0, 0)))(inputs)
    x = layers.Lambda(lambda x: x[:, ::3, ::2])(x)
    grid = grid_behind(keras.Model(inputs, x))
    assert grid == ReceptiveGrid((6, 8), (-1, 0.5), (3, 2))
    x = layers.Reshape((4, 4, 3))(layers.Dense(48)(layers.Flatten()(x)))
    assert grid_behind(keras.Model(inputs, x)) == ReceptiveGrid((16, 16)).resized(
        (4, 4)
    )


def test_nested_models_and_shared_layers():
    block = keras.Sequential(
        [keras.Input((None, None, 3)), layers.Conv2D(3, 3, strides=2), layers.ReLU()]
    )
    inner = keras.Input((None, None, 3))
    twice = keras.Model(inner, block(block(inner)))
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, layers.ReLU()(twice(layers.ZeroPadding2D(1)(inputs))))
    calls = [(block.layers[-1], (16, 16)), (block.layers[-1], (7, 7))]
    grids = [place.grid for place in receptive_grids(model, (32, 32), calls)]
    assert grids == [
        ReceptiveGrid((16, 16), (0, 0), (2, 2)),
        ReceptiveGrid((7, 7), (2, 2), (4, 4)),
    ]


@pytest.mark.parametrize("more", [(), ("a",)])
def test_a_dict_is_handed_to_a_nested_model_by_name(more):
    means, samples = keras.Input((8, 4, 3), name="z"), keras.Input((8, 4, 3), name="b")
    of_means, of_samples = layers.ReLU(), layers.ReLU()
    read = layers.Add()([of_means(means), of_samples(samples)])
    inner = keras.Model([means, samples], read)
    inputs = keras.Input((8, 8, 3))
    given = {
        "z": layers.AveragePooling2D((1, 2))(inputs),
        "b": layers.MaxPooling2D((1, 1), strides=(1, 2))(inputs),
    }
    model = keras.Model(inputs, inner({**given, **dict.fromkeys(more, given["b"])}))
    for layer, offset in ((of_means, 0.5), (of_samples, 0)):
        (place,) = receptive_grids(model, (8, 8), [(layer, (8, 4))])
        assert place.grid == ReceptiveGrid((8, 4), (0, offset), (1, 2))


def test_channels_first():
    inputs = keras.Input((3, 20, 18))
    first = LAPooling2D(2, data_format="channels_first")
    second = LAPooling2D(3, data_format="channels_first")
    model = keras.Model(inputs, second(layers.ReLU()(first(inputs))))
    calls = [(first, (20, 18)), (second, (10, 9))]
    _, place = receptive_grids(model, (20, 18), calls)
    assert place.grid == ReceptiveGrid((10, 9), (0.5, 0.5), (2, 2))


def test_colours_say_nothing_of_the_layout():
    inputs = keras.Input((3, 32, 32))
    x = layers.Conv2D(4, 3, data_format="channels_first")(inputs)
    pooling = LAPooling2D(2, data_format="channels_first")
    model = keras.Model(inputs, pooling(layers.RandomBrightness(0.1)(x)))
    (place,) = receptive_grids(model, (32, 32), [(pooling, (30, 30))])
    assert place.grid == ReceptiveGrid((30, 30), (1, 1), (1, 1))


def test_change_of_layout():
    inputs = keras.Input((3, 20, 18))
    x = layers.Permute((2, 3, 1))(inputs[:, :, 4:])
    pooling = LAPooling2D(2, data_format="channels_last")
    model = keras.Model(inputs, pooling(x))
    (place,) = receptive_grids(model, (20, 18), [(pooling, (16, 18))])
    assert place == CallPlace(ReceptiveGrid((16, 18), (4, 0)), {IMAGE}, outputs={0})


class Block(layers.Layer):
    """A layer that calls others by itself."""

    def __init__(self):
        super().__init__()
        self.pools = [LAPooling2D(2), LAPooling2D(2)]

    def call(self, inputs):
        x = inputs
        for pool in self.pools:
            x = pool(x)
        return x


def test_layer_with_layers_inside():
    inputs = keras.Input((34, 34, 3))
    x = layers.Cropping2D(1)(inputs)
    block, behind = Block(), LAPooling2D(2)
    model = keras.Model(inputs, behind(block(x)))
    calls = [(block.pools[0], (32, 32)), (block.pools[1], (16, 16)), (behind, (8, 8))]
    places = receptive_grids(model, (34, 34), calls)
    assert [place.grid.stride[0] for place in places] == [1, 2, 4]
    assert [place.grid.offset[0] for place in places] == [1, 1.5, 2.5]
    assert [set(place.sources) for place in places] == [{IMAGE}, {0}, {1}]
    assert not any(place.guesses for place in places)
    model = keras.Model(inputs, behind(block(layers.Conv2D(3, 1)(x))))
    calls = [(block.pools[0], (32, 32)), (block.pools[1], (15, 15)), (behind, (8, 8))]
    places = receptive_grids(model, (34, 34), calls)
    assert [place.guesses for place in places] == [(), (block.name,), (block.name,)]


def test_subclassed_model_and_hidden_layers():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.block = Block()

        def call(self, inputs):
            return self.block(inputs)

    model = Subclassed()
    model(np.zeros((1, 8, 8, 3)))
    calls = [(model.block.pools[0], (8, 8)), (model.block.pools[1], (4, 4))]
    places = receptive_grids(model, (8, 8), calls)
    assert [place.grid for place in places] == [
        ReceptiveGrid((8, 8)),
        ReceptiveGrid((4, 4), (0.5, 0.5), (2, 2)),
    ]
    assert [set(place.sources) for place in places] == [{IMAGE}, {0}]

    inputs = keras.Input((8, 8, 3))
    first, hidden = LAPooling2D(2), LAPooling2D(2)
    hidden.build((None, 4, 4, 3))
    model = keras.Model(inputs, layers.Lambda(lambda x: hidden(x))(first(inputs)))
    places = receptive_grids(model, (8, 8), [(first, (8, 8)), (hidden, (4, 4))])
    assert places[1].grid == ReceptiveGrid((8, 8)).resized((4, 4))
    assert places[1].sources == {0}


def test_sources_follow_the_branches():
    inputs = keras.Input((16, 16, 3))
    stem, left, right = (LAPooling2D(2) for _ in range(3))
    x = stem(inputs)
    around = layers.Conv2D(3, 1, strides=2)(x)
    end = GlobalLAPooling2D()
    model = keras.Model(inputs, end(layers.Add()([around, left(x), right(x)])))
    calls = [(stem, (16, 16)), (left, (8, 8)), (right, (8, 8)), (end, (4, 4))]
    sources = [set(place.sources) for place in receptive_grids(model, (16, 16), calls)]
    assert sources == [{IMAGE}, {0}, {0}, {0, 1, 2}]


def test_calls_lead_to_outputs_through_nested_models():
    inputs = keras.Input((16, 16, 3))
    stem, left, right = LAPooling2D(2), GlobalLAPooling2D(), GlobalLAPooling2D()
    x = stem(inputs)
    nested = keras.Model(inputs, [left(x), right(x)])
    image = keras.Input((16, 16, 3))
    first, second = nested(image)
    both = keras.Model(image, {"b": layers.Dense(2)(second), "a": first})
    with score_tape() as records:
        nested(np.zeros((1, 16, 16, 3)))
    calls = [(record.layer, record.attention.shape[1:3]) for record in records]

    def outputs_of(model):
        places = receptive_grids(model, (16, 16), calls)
        met = dict(zip((layer for layer, _ in calls), places, strict=True))
        return [met[layer].outputs for layer in (stem, left, right)]

    at = [each is first for each in both.outputs].index(True)
    assert outputs_of(both) == [{0, 1}, {at}, {1 - at}]
    assert outputs_of(keras.Model(image, second)) == [{0}, set(), {0}]


def test_sample_is_bilinear_and_stays_at_the_edge():
    rng = np.random.default_rng(0)
    grid = ReceptiveGrid((3, 4), (1.5, -0.5), (2, 3))
    maps = rng.random((2, 3, 4, 5))
    positions = ReceptiveGrid((7, 5), (-1, 1), (1.25, 2))
    expected = np.empty((2, 7, 5, 5))
    for i, j in np.ndindex(7, 5):
        row = np.clip((-1 + 1.25 * i - 1.5) / 2, 0, 2)
        column = np.clip((1 + 2 * j + 0.5) / 3, 0, 3)
        top, left = min(int(row), 1), min(int(column), 2)
        down, right = row - top, column - left
        expected[:, i, j] = (
            (1 - down) * (1 - right) * maps[:, top, left]
            + (1 - down) * right * maps[:, top, left + 1]
            + down * (1 - right) * maps[:, top + 1, left]
            + down * right * maps[:, top + 1, left + 1]
        )
    np.testing.assert_allclose(grid.sample(maps, positions), expected, rtol=1e-12)
    assert grid.sample(maps, grid) is maps
    single = ReceptiveGrid((1, 1), (9, 9), (18, 18))
    spread = single.sample(maps[:, :1, :1], positions)
    np.testing.assert_array_equal(
        spread, np.broadcast_to(maps[:, :1, :1], spread.shape)
    )
