"""Options of `convert`, and what it refuses."""

import keras
import pytest
from converted_models import assert_same_function, small_model
from keras import layers
from networks import classifier, lap_names

import keras_lap
from keras_lap import LAPooling2D, lap_layers
from keras_lap.surgery import convert
from keras_lap.surgery.presets import PRESETS

pytestmark = pytest.mark.torch_suffices


def test_layer_options():
    options = {
        "hidden": 6,
        "weighting": "softmax",
        "gating": None,
        "alpha": 3.0,
        "scores": "noisy_or",
        "score_activation": "ramp",
        "initial_score": 0.5,
        "detach_scores": True,
        "score_gain": 3.0,
    }
    for layer in lap_layers(convert(small_model(), **options)):
        assert {name: getattr(layer, name) for name in options} == options
    assert lap_layers(convert(small_model()))[0].initial_score == 0.95


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_stands_for_its_options(preset):
    model = small_model()
    by_name, spelled = (
        keras_lap.plan(model, **options)
        for options in ({"preset": preset}, PRESETS[preset])
    )
    assert str(by_name) == str(spelled)
    for pair in zip(*map(laps_of, (by_name, spelled)), strict=True):
        assert pair[0].get_config() == pair[1].get_config()


def test_what_is_given_counts_before_a_preset():
    model = small_model()
    plan = keras_lap.plan(model, preset="places", where="pooling", hidden=5)
    assert plan.where == "pooling"
    for layer in laps_of(plan):
        assert (layer.hidden, layer.initial_score) == (5, 0.5)
    plan = keras_lap.plan(model, preset="places", detach_scores=False)
    assert {layer.score_gain for layer in laps_of(plan)} == {1}
    # `None` is a value of this option, which a preset must not put aside.
    plan = keras_lap.plan(model, preset="labels", hidden=None)
    assert {layer.hidden for layer in laps_of(plan)} == {None}


def laps_of(plan):
    return lap_layers(convert(plan.model, plan))


def test_scores_learn_as_the_network_does_unless_they_are_detached():
    model = small_model()
    first, second = (layer.name for layer in lap_layers(convert(model)))

    def gains(options, changes):
        plan = keras_lap.plan(model, **options).set(first, **changes)
        found = {
            layer.name: layer.score_gain for layer in lap_layers(convert(model, plan))
        }
        return found[first], found[second]

    attached, detached = {"detach_scores": False}, {"detach_scores": True}
    assert gains(attached, detached) == (10, 1)
    assert gains(detached, attached) == (1, 10)
    assert gains({"score_gain": 3}, detached) == (3, 3)
    assert gains({"score_gain": 3}, {"score_gain": None}) == (1, 3)


def test_skipped_layers_stay(rng):
    model = small_model()
    converted = convert(model, skip=["pool"])
    assert isinstance(converted.get_layer("pool"), layers.MaxPooling2D)
    assert "pool" not in [layer.name for layer in lap_layers(converted)]
    assert_same_function(converted, model, rng)
    assert lap_names(convert(model, skip="pool")) == lap_names(converted)


def test_skipped_zero_padding_is_not_absorbed(rng):
    x = inputs = keras.Input((12, 12, 3))
    x = layers.ZeroPadding2D(1, name="zeros")(x)
    model = classifier(inputs, layers.MaxPooling2D(3, strides=2, name="pool")(x))
    converted = convert(model, skip="zeros")
    assert isinstance(converted.get_layer("zeros"), layers.ZeroPadding2D)
    assert converted.get_layer("pool").padding == "valid"
    assert_same_function(converted, model, rng)


def test_lap_is_not_named_after_a_skipped_sibling(rng):
    inputs = keras.Input((8, 8, 3))
    branches = [
        layers.Conv2D(2, 1, strides=2, name=name)(inputs) for name in ("a", "b", "c")
    ]
    model = classifier(inputs, layers.Concatenate()(branches))
    converted = convert(model, where="all", skip=["a"])
    assert lap_names(converted) == ["b_lap", "head"]
    assert converted.get_layer("a").strides == (2, 2)
    assert_same_function(converted, model, rng)


def test_models_without_a_graph():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.pool = layers.MaxPooling2D()

        def call(self, x):
            return self.pool(x)

    with pytest.raises(ValueError, match=r"class Subclassed.*keras.Model\(x, model"):
        convert(Subclassed())
    with pytest.raises(ValueError, match=r"Call its `build"):
        convert(keras.Sequential([layers.MaxPooling2D()]))

    class Stack(keras.Sequential):
        def call(self, x):
            return super().call(x)

    with pytest.raises(ValueError, match=r"class Stack, which has a `call` of its own"):
        convert(Stack([keras.Input((8, 8, 3)), layers.MaxPooling2D()]))
    with pytest.raises(TypeError, match="model of type int"):
        convert(3)
    with pytest.raises(TypeError, match=r"type str\. Load a file first"):
        convert("model.keras")
    with pytest.raises(TypeError, match=r"type function\. Call it first"):
        convert(keras.applications.MobileNet)
    x = keras.Input((8, 8, 3))
    wrapped = keras.Model(x, Subclassed().call(x))
    assert len(lap_layers(convert(wrapped))) == 1


def test_layers_out_of_reach_are_named():
    x = keras.Input((4, 8, 8, 3))
    pool = layers.TimeDistributed(layers.MaxPooling2D(name="pool"), name="frames")
    with pytest.raises(ValueError, match=r"pool \(MaxPooling2D\): .* inside 'frames'"):
        convert(keras.Model(x, pool(x)))


def test_subclasses_that_sample_are_named():
    class Conv(layers.Conv2D):
        pass

    class Pool(layers.GlobalMaxPooling2D):
        pass

    x = inputs = keras.Input((8, 8, 3))
    for strides in (1, 2):
        x = Conv(2, 3, strides=strides, name=f"stride{strides}")(x)
    with pytest.raises(ValueError) as error:
        convert(keras.Model(inputs, Pool(name="head")(x)), where="all")
    message = str(error.value)
    assert "stride1" not in message
    assert "- stride2 (Conv): it is of class Conv, which may compute" in message
    assert "else than the GlobalMaxPooling2D it is made from: register" in message


def test_nothing_to_convert():
    x = inputs = keras.Input((8, 8, 3))
    x = layers.MaxPooling2D(3, strides=1, name="smooth")(x)
    x = layers.Conv2D(2, 3, strides=2, name="conv")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    model = keras.Model(inputs, x * gate)
    with pytest.raises(ValueError) as error:
        convert(model)
    message = str(error.value)
    assert "smooth (MaxPooling2D): its stride is 1" in message
    assert 'conv (Conv2D): it is converted only with where="all"' in message
    assert "squeeze (GlobalAveragePooling2D): it gates a feature map" in message
    with pytest.raises(ValueError, match=r"LAP layers already: \['pool'\]"):
        convert(keras.Sequential([inputs, LAPooling2D(2, name="pool")]))
    with pytest.raises(ValueError, match="no 2D pooling"):
        convert(keras.Sequential([keras.Input((3,)), layers.Dense(2)]))


def test_plans_and_options():
    model, other = small_model(), small_model()
    plan = keras_lap.plan(model).skip("pool")
    assert lap_names(convert(model, plan)) == ["head"]
    with pytest.raises(ValueError, match=r"for the given model.*keras_lap\.plan"):
        convert(other, plan)
    with pytest.raises(TypeError, match=r"not both.*a plan and skip, where"):
        convert(model, plan, where="all", skip="pool")
    stack = keras.Sequential([inputs for inputs in (keras.Input((8, 8, 3)),)])
    stack.add(layers.MaxPooling2D())
    stack.add(layers.MaxPooling2D())
    stale = keras_lap.plan(stack)
    stack.pop()
    with pytest.raises(ValueError, match="as it is now"):
        convert(stack, stale)
    with pytest.raises(TypeError, match="plan='all' of type str"):
        convert(model, "all")
    with pytest.raises(ValueError, match="compile='yes'"):
        convert(model, compile="yes")
    with pytest.raises(ValueError, match=r"pool.*asked to be skipped"):
        convert(model, plan.skip("head"))
