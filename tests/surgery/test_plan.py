"""`plan` shows what `convert` will do, can be edited, and counts costs rightly."""

import re

import keras
import numpy as np
import pytest
from backend_limits import shown_on_tensorflow
from keras import layers, ops
from networks import classifier, lap_names, row_of
from tolerances import assert_close, assert_identical

import keras_lap
from keras_lap import LAPooling2D
from keras_lap.surgery import (
    Lap,
    LeftAloneError,
    Own,
    Rewrite,
    Rule,
    register_rule,
    sampling_lap,
)
from keras_lap.surgery.conversion_plan import ConversionPlan
from keras_lap.surgery.spatial_sizes import spatial_sizes

pytestmark = pytest.mark.torch_suffices


def small_model(classes=5, size=(24, 24)):
    x = inputs = keras.Input((*size, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="conv")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.AveragePooling2D(2, strides=1, name="smooth")(x)
    return classifier(inputs, layers.Conv2D(6, 3, name="last")(x), classes)


def concepts_of(plan):
    return [row.concepts for row in plan.rows if row.lap]


# What it says.


def test_rows():
    plan = keras_lap.plan(small_model(), where="all")
    assert [(row.layer, row.kind, row.action, row.lap) for row in plan.rows] == [
        ("conv", "Conv2D", "stride 1, LAP behind", "conv_lap"),
        ("pool", "MaxPooling2D", "LAP in its place", "pool"),
        ("smooth", "AveragePooling2D", "stays", None),
        ("head", "GlobalAveragePooling2D", "LAP in its place", "head"),
    ]
    assert "stride is 1" in row_of(plan, "smooth").reason
    assert [(row.window, row.stride) for row in plan.rows if row.lap] == [
        ((2, 2), (2, 2)),
        ((2, 2), (2, 2)),
        (None, None),
    ]
    # conv 3, pool 3 + 2, smooth 5 + 4, last 9 + 2 * 4 pixels.
    assert [(row.stage, row.receptive_field) for row in plan.rows if row.lap] == [
        (0, (3, 3)),
        (1, (3, 3)),
        (2, (17, 17)),
    ]


def test_the_plan_does_not_touch_the_model():
    model = small_model()
    before = model.to_json()
    keras_lap.plan(model, where="all").skip("pool").estimate(3)
    assert model.to_json() == before


def test_reading_a_plan_does_not_change_the_conversion():
    model = small_model()

    def weights(is_read):
        keras.utils.set_random_seed(0)
        plan = keras_lap.plan(model, hidden=4)
        if is_read:
            str(plan)
        return keras_lap.convert(model, plan).get_weights()

    for weight, expected in zip(weights(True), weights(False), strict=True):
        assert_identical(weight, expected)


def test_tables():
    plan = keras_lap.plan(small_model(), where="all", concepts={"pool": 2})
    lines = str(plan).splitlines()
    assert lines[0] == "Conversion of 'net', where=\"all\""
    assert re.split(r"\s{2,}", lines[3].strip())[:6] == [
        "pool", "MaxPooling2D", "1", "3x3", "2x2", "2",
    ]  # fmt: skip
    assert "whole map" in lines[4]
    assert lines[5] == "scores: the task trains them, with score_gain=1"
    assert lines[6].startswith("stays: its stride is 1")
    assert lines[7] == "  smooth"
    assert lines[-1].startswith("3 LAP layers; for one image +")
    assert max(map(len, lines)) < 150
    html = plan._repr_html_()
    assert html.count("<tr>") == 5
    assert lines[5] in html
    lines = str(plan.set("pool", detach_scores=True)).splitlines()
    assert lines[5:8] == [
        "scores: the task trains them, with score_gain=1",
        "  conv, head",
        "scores: knowledge alone trains them, with score_gain=10",
    ]
    assert lines[8] == "  pool"
    assert f"<p>{lines[7]}: pool</p>" in plan._repr_html_()
    plan.set("pool", scores="features", gating=None)
    assert not any("knowledge alone" in line for line in str(plan).splitlines())
    assert "&#x27;net&#x27;" in html
    assert repr(plan) == "<ConversionPlan of 'net' with 3 LAP layers>"


def test_tables_of_what_is_converted_already():
    again = keras_lap.plan(keras_lap.convert(small_model()))
    assert "has LAP layers already: " in str(again).splitlines()[-1]


def test_receptive_fields_of_known_networks():
    # Both figures as in Araujo et al. 2019, "Computing receptive fields of
    # convolutional neural networks".
    model = keras.applications.ResNet50(weights=None)
    head = keras_lap.plan(model).rows[-1]
    assert (head.stage, head.receptive_field) == (5, (483, 483))
    model = keras.applications.MobileNet(weights=None)
    head = keras_lap.plan(model).rows[-1]
    assert (head.stage, head.receptive_field) == (5, (315, 315))


# Concepts.


@pytest.mark.parametrize(
    "concepts, expected",
    [
        ("auto", [5, 5, 5]),
        (3, [3, 3, 3]),
        (np.int64(3), [3, 3, 3]),
        ({"pool": 2}, [5, 2, 5]),
        ({"pool": np.int32(2)}, [5, 2, 5]),
        ({"conv": 7}, [7, 5, 5]),
        ({"conv_lap": 7}, [7, 5, 5]),
        ({("pool",): 2}, [5, 2, 5]),
        ({0: 1, 1: 2, "head": 9}, [1, 2, 9]),
        ({np.int64(1): 2}, [5, 2, 5]),
    ],
)
def test_concepts(concepts, expected):
    model = small_model()
    plan = keras_lap.plan(model, where="all", concepts=concepts)
    assert concepts_of(plan) == expected
    converted = keras_lap.convert(model, plan)
    assert [lap.concepts for lap in keras_lap.lap_layers(converted)] == expected


def test_many_classes_have_concepts_in_the_last_stage_only():
    assert concepts_of(keras_lap.plan(small_model(32), where="all")) == [32, 32, 32]
    assert concepts_of(keras_lap.plan(small_model(33), where="all")) == [1, 1, 33]
    x = inputs = keras.Input((24, 24, 3))
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Conv2D(4, 1, name="before")(x)
    x = layers.MaxPooling2D(2, strides=(1, 2), padding="same", name="narrow")(x)
    plan = keras_lap.plan(classifier(inputs, x, 40)).skip("narrow")
    assert concepts_of(plan) == [1, 40]


def test_automatic_concepts_without_classes():
    x = keras.Input((8, 8, 3))
    features = keras.Model(x, layers.GlobalAveragePooling2D()(layers.Conv2D(9, 1)(x)))
    maps = keras.Model(x, layers.Conv2D(9, 1)(layers.MaxPooling2D()(x)))
    several = keras.Model(features.input, [features.output, layers.MaxPooling2D()(x)])
    normalised = keras.Model(x, layers.LayerNormalization()(features.output))
    for model in (features, maps, several, normalised):
        assert set(concepts_of(keras_lap.plan(model))) == {1}
    for squash in (layers.Softmax(), layers.Activation("sigmoid")):
        classes = keras.Model(features.input, squash(features.output))
        assert concepts_of(keras_lap.plan(classes)) == [9]


# Operations.


def test_adaptive_pooling_by_operations_stays():
    layout = {"data_format": "channels_first"}
    x = inputs = keras.Input((3, 8, 8))
    x = x * ops.adaptive_max_pool(x, (1, 1), **layout)
    x = ops.adaptive_max_pool(x, (4, 4), **layout)
    x = ops.adaptive_average_pool(x, (1, 1), **layout)
    (row,) = keras_lap.plan(keras.Model(inputs, x)).rows
    instead = "it is an operation: use the layer `AdaptiveAveragePooling2D`"
    assert (row.kind, row.reason) == ("AdaptiveAveragePool", instead)


# Editing.


def test_without_skip_the_rules_are_asked_once(monkeypatch):
    made, review = [], ConversionPlan._review
    monkeypatch.setattr(
        ConversionPlan, "_review", lambda plan: made.append(plan) or review(plan)
    )
    plans = [keras_lap.plan(small_model(), skip=skip) for skip in (None, (), [])]
    assert made == plans


def test_skip_only_and_set():
    model = small_model()
    plan = keras_lap.plan(model, where="all")
    assert plan.skip("conv_lap") is plan
    assert row_of(plan, "conv").reason == "it was asked to be skipped"
    plan = keras_lap.plan(model, where="all").only(stages=[0, 2])
    assert row_of(plan, "pool").reason == "it is not among those asked for"
    plan.set("conv_lap", concepts=4, alpha=1.0).set(stages=2, hidden=8)
    conv, head = keras_lap.lap_layers(keras_lap.convert(model, plan))
    assert (conv.name, conv.concepts, conv.alpha, conv.hidden) == (
        "conv_lap", 4, 1.0, None,
    )  # fmt: skip
    assert (head.name, head.concepts, head.alpha, head.hidden) == ("head", 5, 2.0, 8)
    only = keras_lap.plan(model, where="all").only("pool", stages=0)
    assert lap_names(keras_lap.convert(model, only)) == ["conv_lap", "pool"]


def test_settings_survive_other_edits():
    inputs = keras.Input((8, 8, 3))
    branches = [layers.Conv2D(2, 1, strides=2, name=name)(inputs) for name in "abc"]
    model = classifier(inputs, layers.Concatenate()(branches))
    plan = keras_lap.plan(model, where="all").set("a_lap", concepts=4)
    assert [row.lap for row in plan.rows] == ["a_lap", "a_lap", "a_lap", "head"]
    plan.skip("a")
    assert [row.lap for row in plan.rows] == [None, "b_lap", "b_lap", "head"]
    assert concepts_of(plan) == [4, 4, 5]
    assert lap_names(keras_lap.convert(model, plan)) == ["b_lap", "head"]


def test_layers_that_share_a_lap_layer_share_its_settings():
    inputs = keras.Input((8, 8, 3))
    branches = [layers.Conv2D(2, 1, strides=2, name=name)(inputs) for name in "ab"]
    model = classifier(inputs, layers.Concatenate()(branches))
    plan = keras_lap.plan(model, where="all").set("b", concepts=3)
    assert concepts_of(plan) == [3, 3, 5]
    plan = keras_lap.plan(model, where="all", concepts={"b": 3})
    assert [
        lap.concepts for lap in keras_lap.lap_layers(keras_lap.convert(model, plan))
    ] == [3, 5]


@pytest.mark.parametrize(
    "edit, error, message",
    [
        (lambda plan: plan.skip("pol"), ValueError, r"'pol'. Did you mean \['pool'\]"),
        (lambda plan: plan.skip(3), TypeError, "Received: 3 of type int"),
        (lambda plan: plan.skip(["pool"]), TypeError, r"one by one.*skip\(\*names\)"),
        (lambda plan: plan.only(["pool"]), TypeError, "one by one"),
        (lambda plan: plan.set("pool"), ValueError, "options of LAP.*none"),
        (lambda plan: plan.set("pool", detach_scores="no"), ValueError, "='no'"),
        (
            lambda plan: plan.only("smooth"),
            ValueError,
            "'smooth', which stays",
        ),
        (lambda plan: plan.set("last", alpha=1.0), ValueError, "'last', which stays"),
        (lambda plan: plan.only(), ValueError, "or stages. Received: none"),
        (lambda plan: plan.set(concepts=2), ValueError, "or stages. Received: none"),
        (lambda plan: plan.estimate(0), ValueError, "batch=0"),
        (lambda plan: plan.only(stages=7), ValueError, r"are \[0, 1, 2\]. Received: 7"),
        (lambda plan: plan.set("pool", concepts=0), ValueError, "concepts=0"),
        (lambda plan: plan.set("pool", alpha=-1), ValueError, "alpha=-1"),
        (lambda plan: plan.set("pool", pool_size=2), TypeError, "pool_size"),
        (lambda plan: plan.set("pol", concepts=1), ValueError, "'pol'"),
        (
            lambda plan: plan.set("pool", "head", scores="features"),
            ValueError,
            "gating=None",
        ),
    ],
)
def test_a_failed_edit_changes_nothing(edit, error, message):
    plan = keras_lap.plan(small_model(), where="all")
    before = str(plan)
    with pytest.raises(error, match=message):
        edit(plan)
    # Without addresses nothing is skipped, but the rules are asked anew.
    assert str(plan.skip()) == before


def test_a_rule_that_fails_changes_nothing(restored_rules):
    class Failing(Rule):
        fails = True

        def matches(self, layer):
            return self.fails and layer.name == "pool"

        def rewrite(self, layer, graph, stays):
            return None

    plan = keras_lap.plan(small_model(), where="all")
    before, failing = str(plan), Failing()
    register_rule(failing)
    with pytest.raises(TypeError, match=r"Failing.*Rewrite.*None"):
        plan.skip("conv")
    failing.fails = False
    assert str(plan.skip()) == before


def test_wrong_arguments():
    model = small_model()
    with pytest.raises(ValueError, match="where='everywhere'"):
        keras_lap.plan(model, where="everywhere")
    with pytest.raises(ValueError, match=r"'labels', 'places'.*preset='masks'"):
        keras_lap.plan(model, preset="masks")
    with pytest.raises(ValueError, match=r"'pol'. Did you mean \['pool'\]"):
        keras_lap.plan(model, concepts={"pol": 2})
    with pytest.raises(ValueError, match=r"are \[1, 2\]. Received: 3"):
        keras_lap.plan(model, concepts={3: 2})
    with pytest.raises(ValueError, match=r"'conv/pool'.*pass a list for several"):
        keras_lap.plan(model, skip=("conv", "pool"))
    with pytest.raises(ValueError, match="concepts='all'"):
        keras_lap.plan(model, concepts="all")
    for count in (True, 0, 2.0, None):
        with pytest.raises(ValueError, match=f"integer.*concepts={count}"):
            keras_lap.plan(model, concepts=count)
        with pytest.raises(ValueError, match=rf"integer.*concepts\['pool'\]={count}"):
            keras_lap.plan(model, concepts={"pool": count})
    with pytest.raises(TypeError, match=r"detach_scores.*Received: sharpness"):
        keras_lap.plan(model, sharpness=3)
    with pytest.raises(TypeError, match=r"preset: for a whole plan"):
        keras_lap.plan(model).set("pool", preset="places")
    with pytest.raises(TypeError, match=r"keras_lap.plan`. Did you mean detach_scores"):
        keras_lap.plan(model).set("pool", preset="places", detach_score=True)
    with pytest.raises(ValueError, match="alpha=-1"):
        keras_lap.plan(model, alpha=-1)
    with pytest.raises(ValueError, match=r"'pol'. Did you mean \['pool'\]"):
        keras_lap.plan(model, skip=["pol"])
    with pytest.raises(ValueError, match="image_size=0"):
        keras_lap.plan(model, image_size=0)
    with pytest.raises(ValueError, match=r"one of \(False, True\).*keep_max='no'"):
        keras_lap.plan(model, keep_max="no")


# Addresses.


def nested_model():
    """Two nested models with layers of the same names, and names with dots."""

    def block(name):
        x = keras.Input((None, None, 3))
        y = layers.MaxPooling2D(name="pool_1.00")(x)
        inner = keras.Sequential(
            [keras.Input((None, None, 3)), layers.MaxPooling2D(name="deep")],
            name="inner",
        )
        return keras.Model(x, inner(y), name=name)

    x = inputs = keras.Input((32, 32, 3))
    return classifier(inputs, block("net_0.5")(block("net_1.0")(x)))


@shown_on_tensorflow
@pytest.mark.tensorflow_too
def test_addresses_lead_into_nested_models():
    model = nested_model()
    rows = [row.lap for row in keras_lap.plan(model).rows]
    assert rows == [
        "net_1.0/pool_1.00",
        "net_1.0/inner/deep",
        "net_0.5/pool_1.00",
        "net_0.5/inner/deep",
        "head",
    ]

    def left(*addresses):
        plan = keras_lap.plan(model).skip(*addresses)
        return [row.layer for row in plan.rows if not row.lap]

    assert left("net_1.0/pool_1.00") == ["net_1.0/pool_1.00"]
    assert left(("net_0.5", "inner", "deep")) == ["net_0.5/inner/deep"]
    assert left("net_0.5") == rows[2:4]
    only = keras_lap.plan(model).only("net_0.5")
    assert [row.lap for row in only.rows if row.lap] == rows[2:4]
    converted = keras_lap.convert(model, skip=("net_0.5", "inner", "deep"))
    assert len(keras_lap.lap_layers(converted)) == 4
    assert left("net_1.0/inner", "head") == ["net_1.0/inner/deep", "head"]
    with pytest.raises(ValueError, match=r"several.*'net_0.5/inner/deep', 'net_1.0/"):
        left("deep")
    converted = keras_lap.convert(model, skip="net_0.5")
    assert lap_names(converted) == ["pool_1.00", "deep", "head"]


def test_shared_names_take_their_own_settings():
    plan = keras_lap.plan(nested_model()).set("net_0.5/inner/deep", concepts=2)
    assert concepts_of(plan) == [5, 5, 5, 2, 5]


# Costs.


def multiply_adds(**kwargs):
    return keras_lap.plan(**kwargs).estimate().before.multiply_adds


def test_multiply_adds_of_the_given_model():
    x = inputs = keras.Input((12, 10, 4))
    x = layers.SpectralNormalization(layers.Conv2D(6, 3, groups=2))(x)
    x = layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same")(x)
    x = layers.SeparableConv2D(5, 3, depth_multiplier=3, padding="same")(x)
    x = layers.Conv2DTranspose(2, 2, strides=2)(x)
    model = classifier(inputs, layers.Dense(7)(x), 3)
    assert multiply_adds(model=model) == sum(
        [
            10 * 8 * 6 * 9 * 2,
            5 * 4 * 12 * 9,
            5 * 4 * (36 * 9 + 36 * 5),
            5 * 4 * 5 * 4 * 2,
            10 * 8 * 2 * 7,
            7 * 3,
        ]
    )


def test_known_multiply_adds():
    # 4.1 and 0.57 thousand million: He et al. 2016 count 3.8 for ResNet-50, whose first
    # stages Keras strides earlier; Howard et al. 2017 count 569 million for MobileNet.
    assert multiply_adds(model=keras.applications.ResNet50(weights=None)) == 3857973248
    mobile = multiply_adds(model=keras.applications.MobileNet(weights=None))
    assert mobile == pytest.approx(569e6, rel=2e-3)


def test_models_of_any_size_are_counted_at_image_size():
    x = inputs = keras.Input((None, None, 3))
    inner = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(3, 1)])
    model = classifier(inputs, layers.MaxPooling2D(name="pool")(inner(inner(x) * 1.0)))
    for size in (16, 32):
        plan = keras_lap.plan(model, image_size=size)
        before = plan.estimate(batch=2).before
        assert before.multiply_adds == 2 * (2 * size**2 * 9 + 3 * 5)
    assert keras_lap.plan(model, image_size=(16, 8)).image_size == (16, 8)


@pytest.mark.parametrize(
    "options",
    [{}, {"hidden": 3}, {"concepts": 4}, {"scores": "features", "gating": None}],
)
def test_added_costs_are_those_of_the_converted_model(options):
    model = small_model()
    plan = keras_lap.plan(model, where="all", **options)
    converted = keras_lap.convert(model, plan)
    after = plan.estimate(batch=4).after
    assert after.parameters == converted.count_params()
    counted = keras_lap.plan(converted, where="all").estimate(batch=4).before
    assert after == counted


@pytest.mark.parametrize("policy, size", [("float32", 4), ("mixed_float16", 2)])
def test_activation_memory_follows_the_dtype(policy, size):
    inputs = keras.Input((8, 8, 3), dtype="float16" if size == 2 else "float32")
    x = layers.Conv2D(4, 1, dtype=policy)(inputs)
    x = layers.MaxPooling2D(dtype=policy, name="pool")(x)
    plan = keras_lap.plan(keras.Model(inputs, x))
    estimate = plan.estimate(batch=3)
    assert estimate.before.activation_bytes == 3 * size * (8 * 8 * 4 + 4 * 4 * 4)
    # Logits, scores and attention.
    added = estimate.after.activation_bytes - estimate.before.activation_bytes
    assert added == 3 * size * 8 * 8 * 3


def test_the_estimate_prints_well():
    text = str(keras_lap.plan(small_model()).estimate(batch=8))
    assert re.search(r"batch of 8 +before +after", text)
    assert len(text.splitlines()) == 4


# Rules of the user's own.


class BlurPool(layers.Layer):
    """Blurs, then takes every s-th pixel."""

    def __init__(self, strides=2, **kwargs):
        super().__init__(**kwargs)
        self.strides = strides

    def call(self, x):
        kernel = np.outer([1, 2, 1], [1, 2, 1])[..., None, None] / 16
        kernel = ops.cast(np.tile(kernel, (1, 1, x.shape[-1], 1)), x.dtype)
        return ops.depthwise_conv(x, kernel, self.strides, "same")

    def compute_output_shape(self, shape):
        sizes = (-(-size // self.strides) for size in shape[1:3])
        return (shape[0], *sizes, shape[3])

    def get_config(self):
        return {**super().get_config(), "strides": self.strides}


class BlurPoolRule(Rule):
    """A blur pool of an odd map runs at stride 1, then LAP follows."""

    def matches(self, layer):
        return type(layer) is BlurPool

    def rewrite(self, layer, graph, stays):
        sizes = spatial_sizes(graph.calls_of(layer), "channels_last")
        if any(size % 2 == 0 for size in sizes):
            raise LeftAloneError("its map has an even size")
        return Rewrite((Own(layer, {"strides": 1}), sampling_lap(layer, graph)))


@pytest.mark.parametrize("size, laps", [(17, ["blur_lap", "head"]), (16, ["head"])])
def test_a_rule_of_ones_own(size, laps, restored_rules, rng):
    register_rule(BlurPoolRule())
    x = inputs = keras.Input((size, size, 3))
    x = BlurPool(name="blur")(layers.Conv2D(4, 3, padding="same")(x))
    model = classifier(inputs, x)
    plan = keras_lap.plan(model)
    converted = keras_lap.convert(model, plan)
    assert lap_names(converted) == laps
    images = rng.normal(size=(2, size, size, 3)).astype("float32")
    assert_close(converted(images), model(images), rtol=1e-5, atol=2e-6)
    if size % 2 == 0:
        assert row_of(plan, "blur").reason == "its map has an even size"


class WrongRule(BlurPoolRule):
    """Puts LAP of other windows in the place of a blur pool."""

    def rewrite(self, layer, graph, stays):
        config = {"name": "blur_lap", "base": "avg", "pool_size": 3}
        return Rewrite((Lap(LAPooling2D, layer, config),))


@pytest.mark.parametrize("is_sequential", [True, False])
def test_a_rule_that_changes_the_shape_of_maps_is_named(restored_rules, is_sequential):
    register_rule(WrongRule())
    head = [layers.GlobalAveragePooling2D(name="head"), layers.Dense(3)]
    model = keras.Sequential([keras.Input((17, 17, 3)), BlurPool(name="blur"), *head])
    if not is_sequential:
        model = keras.Model(model.inputs, model.outputs)
    message = r"place of 'blur'.*\(None, 9, 9, 3\)\. Received: \(None, 5, 5, 3\)"
    with pytest.raises(ValueError, match=message):
        keras_lap.convert(model)


def test_parts_of_rules_are_checked():
    layer = layers.MaxPooling2D()
    with pytest.raises(ValueError, match=r"'name'.*Received keys: \['base'\]"):
        Lap(LAPooling2D, layer, {"base": "max"})
    lap = Lap(LAPooling2D, layer, {"name": "pool"})
    for chain in (lap, (lap, layer), None):
        with pytest.raises(TypeError, match=r"Rewrite\(\(Lap.*Received"):
            Rewrite(chain)


def test_rules_are_instances():
    with pytest.raises(TypeError, match=r"BlurPoolRule.*of type ABCMeta"):
        register_rule(BlurPoolRule)
