"""Models of many kinds are explained."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops
from lap_models import maps_of, slow_flow_step, small_lap_model

from keras_lap import GlobalLAPooling2D, LAPooling2D, convert, explain
from keras_lap.classifier.gives_logits import gives_logits
from keras_lap.evaluation.outputs import class_scores
from keras_lap.graph.receptive_grid import ReceptiveGrid
from keras_lap.layers import score_tape

pytestmark = pytest.mark.torch_too


def test_nested_model_gives_the_maps_of_the_flat_one(rng):
    nested, flat = small_lap_model(), small_lap_model(nested=False)
    flat.set_weights(nested.get_weights())
    images = rng.random((3, 16, 16, 3))
    np.testing.assert_array_equal(maps_of(nested, images), maps_of(flat, images))


def test_model_stays_as_it_is(rng):
    model = convert(
        keras.applications.MobileNetV3Small(
            input_shape=(32, 32, 3), weights=None, classes=4
        ),
        hidden=4,
    )
    before = [ops.convert_to_numpy(weight) for weight in model.variables]
    maps = maps_of(model, rng.random((2, 32, 32, 3)) * 255)
    assert maps.shape == (2, 32, 32, 4)
    for weight, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), value)


def test_reloaded_model_gives_identical_maps(rng, tmp_path):
    model, images = small_lap_model(), rng.random((2, 16, 16, 3))
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(maps_of(reloaded, images), maps_of(model, images))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy, rng):
    full = small_lap_model()
    keras.config.set_dtype_policy(policy)
    try:
        mixed = small_lap_model()
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(full.get_weights())
    images = rng.random((2, 16, 16, 3))
    explanation = explain(mixed, images)
    maps = explanation.maps
    for name in ("maps", "scores", "predictions"):
        assert getattr(explanation, name).dtype == np.float32
    np.testing.assert_allclose(maps, maps_of(full, images), atol=2e-2)


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
    explanation = explain(first, images.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(explanation.images, images)
    maps = explanation.maps
    assert maps.shape == (2, 12, 9, 2)
    np.testing.assert_allclose(maps, maps_of(last, images), rtol=1e-6)
    inside = keras.Sequential(
        [keras.Input((12, 9, 3)), layers.Permute((3, 1, 2)), first]
    )
    np.testing.assert_allclose(maps_of(inside, images), maps, rtol=1e-6)


def test_shared_layer_is_read_at_every_call(rng):
    lap = LAPooling2D(2)
    model = keras.Sequential([keras.Input((16, 16, 3)), lap, layers.ReLU(), lap])
    images = rng.random((1, 16, 16, 3), "float32")
    with score_tape() as records:
        model(images)
    first, second = (ops.convert_to_numpy(record.scores) for record in records)
    flow = maps_of(model, images)
    passed = slow_flow_step(lap, 2.0, *[first[0, ..., 0]] * 2, second[0, ..., 0])
    np.testing.assert_allclose(flow[0, ..., 0], passed, rtol=1e-5)
    deepest = maps_of(model, images, layers=[lap.name], combine="layer")
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
        maps_of(model, images)
    model(images)
    maps = maps_of(model, images)
    functional = keras.Sequential([keras.Input((12, 12, 3)), *model.stack])
    np.testing.assert_allclose(maps, maps_of(functional, images), rtol=1e-6)


def test_images_of_any_size_where_the_model_leaves_it_open(rng):
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same")(inputs)
    model = keras.Model(inputs, GlobalLAPooling2D()(LAPooling2D(2)(x)))
    for size in ((16, 12), (15, 13)):
        assert maps_of(model, rng.random((1, *size, 3))).shape == (1, *size, 1)


def test_a_batch_size_of_the_model_is_no_number_of_images(rng):
    inputs = keras.Input((8, 8, 3), batch_size=4)
    model = keras.Model(inputs, GlobalLAPooling2D(concepts=2)(inputs))
    images = rng.random((6, 8, 8, 3), "float32")
    whole = explain(model, images)
    expected = ops.convert_to_numpy(model(images))
    np.testing.assert_allclose(whole.predictions, expected, rtol=1e-6)
    in_batches = maps_of(model, images, batch_size=4)
    np.testing.assert_allclose(in_batches, whole.maps, rtol=1e-6)


def test_layers_without_concepts_are_left_out(rng):
    images = rng.random((1, 8, 8, 3))
    features = LAPooling2D(2, scores="features", gating=None, name="plain")
    scored = LAPooling2D(2, name="scored")
    model = keras.Sequential([keras.Input((8, 8, 3)), features, scored])
    maps = maps_of(model, images)
    assert maps.shape == (1, 8, 8, 1)
    with pytest.raises(
        ValueError, match=r"Received: 'plain'. The names are \['scored'"
    ):
        maps_of(model, images, layers=["plain"])
    model = keras.Sequential([keras.Input((8, 8, 3)), features])
    with pytest.raises(ValueError, match=r"keras_lap.convert.*'plain' with scores="):
        maps_of(model, images)


# Names of layers in nested models.


@pytest.fixture(scope="module")
def twins():
    """Two nested models with a layer of one name each."""
    pools = {}
    x = inputs = keras.Input((8, 8, 3))
    for name in ("left", "right"):
        pools[name] = LAPooling2D(2, name="pool", initial_score=0.3 + 0.4 * len(pools))
        stack = [keras.Input(x.shape[1:]), pools[name]]
        x = keras.Sequential(stack, name=name)(x)
    return keras.Model(inputs, x)


def test_layers_by_the_path_to_them(twins, rng):
    images = rng.random((1, 8, 8, 3))
    left, right = (
        explain(twins, images, layers=[f"{name}/pool"]) for name in ("left", "right")
    )
    assert 0.2 < left.maps.max() < 0.5 < right.maps.min() < 0.8
    assert left.layers == ["pool"]
    both = explain(twins, images, layers="pool")
    assert both.layers == ["pool", "pool"]
    np.testing.assert_array_equal(both.maps, maps_of(twins, images))


@pytest.mark.parametrize(
    "name, near",
    [
        ("left/pol", r"\['left/pool'"),
        ("poll", r"\['pool'"),
        ("middle/pool", "left/pool"),
    ],
)
def test_unknown_layers_with_near_ones(twins, rng, name, near):
    with pytest.raises(ValueError, match=rf"Received: '{name}'. Did you mean .*{near}"):
        explain(twins, rng.random((1, 8, 8, 3)), layers=[name])


# Predictions.


@pytest.fixture(scope="module")
def outputs():
    """The tensors of a model with several outputs, by name."""
    inputs = keras.Input((8, 8, 3))
    x = GlobalLAPooling2D(concepts=3)(inputs)
    return inputs, {
        "kind": layers.Dense(3, activation="softmax", name="kind")(x),
        "age": layers.Dense(1, activation="sigmoid", name="age")(x),
        "seen": layers.Conv2D(1, 1, name="seen")(inputs),
    }


@pytest.mark.parametrize("form", ["dict", "list"])
def test_predictions_of_several_outputs(outputs, form, rng):
    inputs, named = outputs
    model = keras.Model(inputs, named if form == "dict" else list(named.values()))
    images = rng.random((2, 8, 8, 3), "float32")
    found = model(images)
    found = found if form == "dict" else dict(zip(named, found, strict=True))
    with pytest.warns(UserWarning, match=r"first, 'kind'.*`output='age'`") as told:
        unchosen = explain(model, images, batch_size=1)
    assert sum("several outputs" in str(each.message) for each in told) == 1
    for output, name in ((None, "kind"), ("age", "age"), (1, "age"), ("kind", "kind")):
        explanation = unchosen
        if output is not None:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", ".*several outputs.*")
                explanation = explain(model, images, output=output)
        expected = ops.convert_to_numpy(found[name])
        np.testing.assert_array_equal(explanation.predictions, expected)
    np.testing.assert_array_equal(
        explain(model, images, output="kind").class_concepts, np.eye(3)
    )
    assert explain(model, images, output="age").class_concepts is None
    assert [gives_logits(model, name) for name in named] == [False, False, True]
    with pytest.raises(ValueError, match=r"Received: 'kin'. Did you mean \['kind'"):
        explain(model, images, output="kin")
    with pytest.raises(ValueError, match=r"index from 0 to 2.*Received: output=3"):
        explain(model, images, output=3)
    with pytest.raises(ValueError, match=r"output='seen' of shape \(2, 8, 8, 1\)"):
        explain(model, images, output="seen")


def test_output_that_is_no_vector_is_no_prediction(rng):
    inputs = keras.Input((8, 8, 3))
    x = LAPooling2D(2)(inputs)
    outputs = [layers.Conv2D(1, 1, name="seen")(x), layers.Flatten()(x)]
    model = keras.Model(inputs, outputs)
    with pytest.warns(UserWarning, match="first, 'seen'"):
        assert explain(model, rng.random((1, 8, 8, 3))).predictions is None


@pytest.mark.parametrize("is_nested", [False, True])
def test_maps_are_of_the_layers_that_lead_to_the_output(is_nested, rng):
    inputs = keras.Input((8, 8, 3))
    x = LAPooling2D(1, initial_score=0.9, name="shared")(inputs)
    heads = {
        "a": GlobalLAPooling2D(concepts=2, initial_score=0.7, name="head_a")(x),
        "b": GlobalLAPooling2D(concepts=2, initial_score=0.5, name="head_b")(x),
    }
    model = keras.Model(inputs, [*heads.values(), layers.Flatten()(inputs)])
    for name in ("shared", "head_a", "head_b"):
        logits = model.get_layer(name).head.logits
        logits.set_weights([0 * logits.get_weights()[0], logits.get_weights()[1]])
    if is_nested:
        image = keras.Input((8, 8, 3))
        model = keras.Model(image, model(image))
    images = rng.random((1, 8, 8, 3))
    for output, expected in enumerate((0.9 * 0.7, 0.9 * 0.5)):
        explanation = explain(model, images, output=output)
        assert explanation.layers == ["shared", f"head_{'ab'[output]}"]
        np.testing.assert_allclose(explanation.maps, expected, rtol=1e-5)
    alone = explain(model, images, combine="layer", output=0)
    assert alone.layers == ["head_a"]
    np.testing.assert_allclose(alone.maps, 0.7, rtol=1e-5)
    with pytest.raises(ValueError, match=r"lead to the output.*'head_b' with 2 conc"):
        explain(model, images, layers="head_b", output=0)
    with pytest.raises(ValueError, match=r"output=2 of .*others alone.*`output`"):
        explain(model, images, output=2)


def test_one_concept_and_one_output_for_two_classes(rng):
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Dense(1, activation="sigmoid")(GlobalLAPooling2D()(x))
    model, names = keras.Model(inputs, x), ["healthy", "ill"]
    explanation = explain(model, rng.random((2, 8, 8, 3)), class_names=names)
    assert explanation.class_concepts.tolist() == [[False], [True]]
    assert explanation.concept_names == ["ill"]
    assert explanation.evidence(0).difference is not None


@pytest.mark.parametrize("ending", [None, "linear", "sigmoid"])
def test_one_output_is_a_logit_or_probability_whatever_its_values(ending, rng):
    """A logit of 0.3 speaks for class 1, a probability of 0.3 for class 0."""
    x = inputs = keras.Input((8, 8, 3))
    given = {"sigmoid": np.log(0.3 / 0.7)}.get(ending, 0.3)
    x = layers.Dense(
        1,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(given),
    )(GlobalLAPooling2D()(x))
    x = x if ending is None else layers.Activation(ending)(x)
    model = keras.Model(inputs, x)
    images = rng.random((1, 8, 8, 3))
    expected = int(ending != "sigmoid")
    assert explain(model, images).predicted.tolist() == [expected]
    assert class_scores(model, images).argmax(axis=-1).tolist() == [expected]
    nested = keras.Sequential([keras.Input((8, 8, 3)), model])
    assert explain(nested, images).predicted.tolist() == [expected]


def test_scores_are_the_highest_of_the_deepest_layer_with_all_concepts(rng):
    model, images = small_lap_model(), rng.random((2, 16, 16, 3), "float32")
    with score_tape() as records:
        model(images)
    deepest = ops.convert_to_numpy(records[-1].scores).max(axis=(1, 2))
    for options in ({}, {"combine": "mean"}, {"layers": "deep", "combine": "layer"}):
        scores = explain(model, images, **options).scores
        np.testing.assert_allclose(scores, deepest, rtol=1e-6)
    scores = explain(model, images, concepts=[2, 0]).scores
    np.testing.assert_allclose(scores, deepest[:, [2, 0]], rtol=1e-6)
    # A single concept that stands behind them says nothing about each.
    stack = [keras.Input((8, 8, 3)), LAPooling2D(2, concepts=3), LAPooling2D(2)]
    last = keras.Sequential(stack)
    assert explain(last, rng.random((2, 8, 8, 3))).scores.shape == (2, 3)


# What stands in front of the network.


def test_preprocessing_inside_of_the_model(rng):
    plain = small_lap_model()
    inputs = keras.Input((16, 16, 3))
    x = layers.RandomFlip()(layers.Rescaling(1 / 127.5, offset=-1)(inputs))
    whole = keras.Model(inputs, plain(x))
    images = rng.uniform(0, 255, (2, 16, 16, 3)).astype("float32")
    explanation = explain(whole, images)
    np.testing.assert_array_equal(explanation.images, images)
    expected = maps_of(plain, images / np.float32(127.5) - 1)
    np.testing.assert_allclose(explanation.maps, expected, rtol=1e-5)


def test_resizing_inside_of_the_model(rng):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, small_lap_model()(layers.Resizing(16, 16)(inputs)))
    for size in ((16, 16), (24, 40), (9, 7)):
        explanation = explain(model, rng.random((1, *size, 3)))
        assert explanation.maps.shape == (1, *size, 3)
        assert explanation.maps.min() > 0
