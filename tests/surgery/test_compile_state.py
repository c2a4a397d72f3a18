"""`convert(compile="copy")`: training goes on as if nothing had happened."""

import keras
import numpy as np
import pytest
from backend_limits import several_steps, shown_on_tensorflow
from keras import layers, optimizers
from tolerances import assert_close, assert_identical

from keras_lap import lap_layers
from keras_lap.surgery import convert

pytestmark = pytest.mark.torch_suffices


def make_model(dtype=None):
    inputs = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", dtype=dtype)(inputs)
    x = layers.BatchNormalization(dtype=dtype)(x)
    x = layers.MaxPooling2D(dtype=dtype)(x)
    x = layers.Conv2D(6, 3, activation="relu", dtype=dtype)(x)
    x = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    return keras.Model(inputs, layers.Dense(5, dtype="float32", name="scores")(x))


def compiled_model(optimizer="adam", model=None, **options):
    model = model or make_model()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # A few steps take less time than tracing them.
    model.compile(optimizer, loss, run_eagerly=True, **options)
    return model


def batch(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(8, 12, 12, 3)).astype("float32")
    return x, rng.integers(0, 5, 8)


def train(model, steps):
    for step in range(steps):
        model.train_on_batch(*batch(step))


def copied(model, where="all"):
    return convert(model, where=where, compile="copy")


def kept(model, converted):
    """Pairs of trained weights that both models have."""
    new = {weight.path: weight for weight in converted.trainable_weights}
    return [(weight, new[weight.path]) for weight in model.trainable_weights]


def assert_same_weights(model, converted):
    for old, new in kept(model, converted):
        scale = float(np.max(np.abs(old.numpy())))
        assert_close(new, old, rtol=0, atol=2e-5 * scale)


OPTIMIZERS = {
    "Adam": lambda: optimizers.Adam(optimizers.schedules.CosineDecay(0.01, 9)),
    "amsgrad and averages": lambda: optimizers.Adam(0.01, amsgrad=True, use_ema=True),
    "SGD": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "accumulated": lambda: optimizers.SGD(0.05, gradient_accumulation_steps=3),
    "Nadam": lambda: optimizers.Nadam(0.01),
    "Adafactor": lambda: optimizers.Adafactor(0.01),
    "Muon": lambda: optimizers.Muon(0.01),
    "loss scale": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.01)),
    "several": lambda: optimizers.MultiOptimizer(
        optimizers.OptimizerMap(
            optimizers.SGD(0.05, momentum=0.9), {"scores/.*": optimizers.Adam(0.01)}
        )
    ),
}


# Each with another kind of state.
USUAL = ("Adam", "accumulated", "loss scale")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=[pytest.mark.thorough] * (name not in USUAL))
        for name, make in OPTIMIZERS.items()
    ],
)
@shown_on_tensorflow
@pytest.mark.tensorflow_too
def test_training_goes_on(make):
    model = compiled_model(make())
    train(model, 4)
    converted = copied(model)
    assert type(converted.optimizer) is type(model.optimizer)
    assert int(converted.optimizer.iterations) == int(model.optimizer.iterations)
    # Closed gates pass no gradient on to the scores.
    train(model, 3)
    train(converted, 3)
    assert_same_weights(model, converted)


def test_a_fresh_optimizer_would_train_otherwise():
    model = compiled_model()
    train(model, 4)
    converted = convert(model, where="all")
    converted.compile("adam", model.loss, run_eagerly=True)
    train(model, 1)
    train(converted, 1)
    with pytest.raises(AssertionError):
        assert_same_weights(model, converted)


def test_slots_follow_their_variables_and_new_ones_start_afresh():
    model = compiled_model(optimizers.Adam(use_ema=True))
    train(model, 3)
    converted = copied(model)
    old, new = model.optimizer, converted.optimizer
    pairs = kept(model, converted)
    order = [new._get_variable_index(twin) for _, twin in pairs]
    assert order != list(range(len(pairs)))
    for name in ("_momentums", "_velocities", "_model_variables_moving_average"):
        slots, twins = getattr(old, name), getattr(new, name)
        for own, twin in pairs:
            slot = twins[new._get_variable_index(twin)]
            assert_identical(slot, slots[old._get_variable_index(own)])
    for layer in lap_layers(converted):
        for weight in layer.trainable_weights:
            index = new._get_variable_index(weight)
            assert not np.any(new._momentums[index])
            assert_identical(new._model_variables_moving_average[index], weight)


def test_the_original_is_untouched_and_shares_nothing_with_a_state():
    metric = keras.metrics.SparseCategoricalAccuracy()
    model = compiled_model(optimizers.SGD(0.05, momentum=0.9), metrics=[metric])
    train(model, 2)
    before = [value.numpy() for value in (*model.variables, *model.optimizer.variables)]
    converted = copied(model)
    train(converted, 3)
    after = [value.numpy() for value in (*model.variables, *model.optimizer.variables)]
    for one, other in zip(before, after, strict=True):
        assert_identical(one, other)
    assert not {id(value) for value in (model.optimizer, metric)} & {
        id(value) for value in (converted.optimizer, *converted.metrics)
    }
    assert converted.loss is model.loss
    assert float(metric.total) != 0


class OwnLoss(keras.losses.Loss):
    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * keras.ops.mean(keras.ops.square(y_pred), axis=-1)


@pytest.mark.parametrize(
    "loss", [keras.losses.Huber(5.0), OwnLoss(7.0)], ids=["Huber", "own"]
)
def test_losses_keep_settings_that_are_not_in_their_config(loss):
    model = make_model()
    model.compile("sgd", loss, run_eagerly=True)
    x, _ = batch()
    targets = np.full((8, 5), 10.0)
    losses = [
        network.evaluate(x, targets, verbose=0) for network in (model, copied(model))
    ]
    assert_close(losses[1], losses[0], rtol=1e-5, atol=0)


def own_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_pred), axis=-1)


class OwnMetric(keras.metrics.Mean):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(self.factor * keras.ops.mean(y_pred, axis=-1))

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@several_steps
@pytest.mark.tensorflow_too
def test_everything_that_was_given_to_compile_is_kept():
    inner = make_model()
    model = keras.Model(inner.input, [inner.output, inner.layers[-2].output])
    names = model.output_names
    model.compile(
        "adam",
        loss=dict(zip(names, ["mse", own_loss], strict=True)),
        loss_weights=dict(zip(names, [1.0, 0.3], strict=True)),
        metrics={names[0]: ["mae", OwnMetric(2.0, name="own")], names[1]: [own_loss]},
        weighted_metrics={names[0]: [keras.metrics.MeanSquaredError(name="error")]},
        steps_per_execution=3,
    )
    converted = copied(model, "pooling")
    x, _ = batch()
    targets = [np.ones((8, size), "float32") for size in (5, 6)]
    weights = [np.arange(8.0), np.ones(8)]
    results = [
        network.evaluate(x, targets, sample_weight=weights, verbose=0, return_dict=True)
        for network in (model, converted)
    ]
    assert list(results[0]) == list(results[1])
    assert len(results[0]) == 7
    assert_close(*(list(result.values()) for result in results), rtol=1e-5, atol=1e-6)
    assert converted.steps_per_execution == 3
    assert not converted.optimizer.built


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"jit_compile": True}])
def test_how_steps_run_is_kept(options):
    model = make_model()
    model.compile("sgd", "mse", **options)
    converted = copied(model)
    for name in ("run_eagerly", "jit_compile"):
        assert getattr(converted, name) == getattr(model, name)
        assert getattr(converted, name) == options.get(name, False)


@pytest.mark.parametrize("scaled", [True, False])
def test_loss_scaling_is_kept(scaled):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = compiled_model(auto_scale_loss=scaled)
    finally:
        keras.config.set_dtype_policy("float32")
    train(model, 2)
    if scaled:
        model.optimizer.dynamic_scale.assign(64)
        model.optimizer.step_counter.assign(7)
    converted = copied(model)
    new = converted.optimizer
    assert isinstance(new, optimizers.LossScaleOptimizer) == scaled
    if scaled:
        assert (float(new.dynamic_scale), int(new.step_counter)) == (64, 7)
        new = new.inner_optimizer
    assert int(new.iterations) == 2
    train(converted, 1)


def test_exemptions_from_weight_decay_are_kept():
    model = make_model()
    optimizer = optimizers.AdamW(0.0, weight_decay=0.1)
    kernel = model.get_layer("scores").kernel
    optimizer.exclude_from_weight_decay([kernel], ["bias"])
    train(compiled_model(optimizer, model), 1)
    converted = copied(model)
    exempt = {
        weight.path
        for weight in converted.trainable_weights
        if not converted.optimizer._use_weight_decay(weight)
    }
    assert kernel.path in exempt
    assert {path.split("/")[-1] for path in exempt} == {"kernel", "bias"}
    assert len(exempt) == 1 + sum(w.name == "bias" for w in converted.trainable_weights)


def test_frozen_weights_need_no_slots():
    model = compiled_model()
    train(model, 2)
    model.trainable = False
    converted = copied(model)
    new = {id(w) for layer in lap_layers(converted) for w in layer.trainable_weights}
    assert {id(w) for w in converted.optimizer._trainable_variables} == new
    train(converted, 1)


# Errors.


def test_a_model_must_be_compiled():
    with pytest.raises(ValueError, match="which is not compiled"):
        copied(make_model())


class OwnCompile(keras.Model):
    def compile(self, extra, **kwargs):
        super().compile(**kwargs)


def test_a_model_must_be_compiled_by_keras():
    base = make_model()
    model = OwnCompile(base.input, base.output)
    model.compile(3, loss="mse")
    with pytest.raises(ValueError, match="class OwnCompile, which has another"):
        copied(model)


class OwnSteps(keras.Model):
    def train_step(self, data):
        return {"loss": 0.0}

    def predict_step(self, data):
        return data


class OwnConstructor(OwnSteps):
    def __init__(self, network):
        super().__init__(network.input, network.output)


def test_steps_that_the_copy_would_lack_are_named():
    base = make_model()
    kept = copied(compiled_model(model=OwnSteps(base.input, base.output)))
    assert kept.train_step(None) == {"loss": 0.0}
    model = compiled_model(model=OwnConstructor(base))
    with pytest.raises(ValueError, match=r"lacks its train_step, predict_step\."):
        copied(model)


class ForgetfulMetric(keras.metrics.Mean):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)


class ForgetfulOptimizer(optimizers.SGD):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)


class KnownSettings(optimizers.SGD):
    def __init__(self, learning_rate=0.5, momentum=0.5, **kwargs):
        super().__init__(learning_rate, momentum, **kwargs)


@pytest.mark.parametrize("wrap", [lambda x: x, optimizers.LossScaleOptimizer])
def test_an_optimizer_must_have_all_settings_in_its_config(wrap):
    message = "'sgd' of class ForgetfulOptimizer, which .* SGD, without factor"
    with pytest.raises(ValueError, match=message):
        copied(compiled_model(wrap(ForgetfulOptimizer(2.0, name="sgd"))))


def test_an_inherited_config_may_have_all_settings():
    optimizer = KnownSettings(0.2)
    converted = copied(compiled_model(optimizer))
    assert converted.optimizer.get_config() == optimizer.get_config()


def test_a_metric_must_have_all_settings_in_its_config():
    message = "'odd' of class ForgetfulMetric, which .* Metric, without factor"
    with pytest.raises(ValueError, match=message):
        copied(compiled_model(metrics=[ForgetfulMetric(2.0, name="odd")]))


class Hoarder(optimizers.SGD):
    def build(self, variables):
        super().build(variables)
        self.hoard = {"count": self.add_variable((), name="count")}


@keras.saving.register_keras_serializable()
def choose(variable):
    return CHOICE


CHOICE = optimizers.SGD(0.1)


def test_what_cannot_be_copied_is_named():
    metric = keras.metrics.MeanMetricWrapper(own_loss, name="unregistered")
    model = compiled_model(metrics=[metric])
    with pytest.raises(ValueError, match="'unregistered' of class MeanMetricWrapper"):
        copied(model)
    model = compiled_model(Hoarder(0.1))
    train(model, 1)
    with pytest.raises(ValueError, match="'hoarder' of class Hoarder"):
        copied(model)
    model = compiled_model(optimizers.MultiOptimizer(choose))
    train(model, 1)
    with pytest.raises(ValueError, match="has 0 inside instead of 1"):
        copied(model)
