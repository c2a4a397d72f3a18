"""Losses on input gradients: `RightReasons`, and losses of a user's own."""

import json

import keras
import numpy as np
import pytest
from autodiff import gradients
from backend_limits import compiled_steps, outlives_step, shown_on_tensorflow
from injection_problem import (
    CLASSES,
    SAMPLES,
    SIZE,
    as_float64,
    call_at,
    compiled,
    first,
    fit,
    fit_steps,
)
from keras import backend, layers, ops
from numeric_gradients import STEP, directional_derivative, numeric_gradient
from step_options import GRAPH
from tolerances import assert_close, tolerance

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.injection.step.image_batch import ImageBatch
from keras_lap.injection.step.input_tape import InputTape
from keras_lap.losses import InputGradientLoss, MaskSupervision, RightReasons

pytestmark = pytest.mark.jax_too

pytest_plugins = ["injection_problem"]


def penalty(gradient, mask):
    """The loss in NumPy, `(N,)`."""
    return np.sum(((1 - mask) * gradient) ** 2, axis=(1, 2, 3))


# On arrays.


def some_gradients(rng, dtype="float32"):
    return rng.normal(size=(3, 5, 4, 2)).astype(dtype), rng.uniform(size=(3, 5, 4, 1))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_equals_the_sum_over_pixels_outside(rng, dtype):
    gradient, mask = some_gradients(rng, dtype)
    mask[1], mask[2] = 0, 1
    actual = RightReasons()(gradient, mask=mask)
    assert backend.standardize_dtype(actual.dtype) == "float32"
    expected = penalty(np.float64(gradient), mask)
    assert expected[2] == 0 < expected[0] < expected[1]
    allowed = tolerance("float32", 40, np.abs(gradient).max().astype("float64") ** 2)
    assert_close(actual, expected, **allowed)


def test_derivative_by_the_gradient_equals_differences(rng):
    gradient, mask = some_gradients(rng, "float64")
    found = gradients(
        lambda given: RightReasons().call(
            given["gradient"], ops.convert_to_tensor(mask)
        ),
        {"gradient": gradient},
    )
    expected = numeric_gradient(lambda g: penalty(g, mask).sum(), gradient)
    assert_close(found["gradient"], expected, 1e-9, 1e-9)


def log_probabilities(logits, outputs):
    """Sum over the classes, per sample, in NumPy."""
    if outputs == "softmax":
        total = np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        return np.sum(logits - total, axis=-1)
    return -np.sum(np.logaddexp(0, logits) + np.logaddexp(0, -logits), axis=-1)


# Keras leaves them with the probabilities, where arrays take attributes.
CAN_KEEP_LOGITS = keras.config.backend() != "jax"
FORMS = ["logits", "probabilities with logits", "probabilities alone"]


def explained_by(outputs, form):
    """What is explained, as a function of a dict with the logits."""
    loss = RightReasons(outputs, from_logits=form == "logits")

    def explained(given):
        predictions = ops.convert_to_tensor(given["logits"])
        if form != "logits":
            predictions = getattr(keras.activations, outputs)(predictions)
        if form == "probabilities alone":
            predictions = predictions + 0
        return loss.explained(predictions)

    return explained


@pytest.mark.parametrize("outputs", ["softmax", "sigmoid"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.slow_on_jax
def test_explains_the_logarithms_of_the_probabilities(rng, outputs, form):
    logits = rng.normal(scale=3, size=(4, 3))
    given = {"logits": logits}
    explained = explained_by(outputs, form)
    expected = log_probabilities(logits, outputs)
    assert_close(ops.sum(explained(given), axis=-1), expected, 1e-9, 0)
    slopes = numeric_gradient(lambda z: np.sum(log_probabilities(z, outputs)), logits)
    assert_close(gradients(explained, given)["logits"], slopes, 1e-9, 1e-9)


@pytest.mark.parametrize("outputs", ["softmax", "sigmoid"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scale", [1e4, 30.0])
@pytest.mark.slow_on_jax
def test_extreme_predictions_stay_finite_when_derived_twice(outputs, form, scale):
    logits = np.float32([[scale, -scale, 0.0], [0.0, 0.5 * scale, scale]])
    explained = explained_by(outputs, form)

    def gradient_at(given):
        return gradients(explained, given)["logits"]

    given = {"logits": logits}
    second = gradients(lambda given: ops.square(gradient_at(given)), given)["logits"]
    gradient, second = map(ops.convert_to_numpy, (gradient_at(given), second))
    assert np.isfinite(gradient).all()
    assert np.isfinite(second).all()
    has_logits = {"logits": True, "probabilities with logits": CAN_KEEP_LOGITS}
    if has_logits.get(form):
        # A network that is sure still has a gradient.
        assert np.abs(gradient).min(initial=9, where=np.abs(logits) > 0) > 0.9


def test_survives_serialisation():
    loss = RightReasons("sigmoid", from_logits=True, name="reasons")
    text = json.dumps(keras.saving.serialize_keras_object(loss))
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(copy) is RightReasons
    expected = {"name": "reasons", "outputs": "sigmoid", "from_logits": True}
    assert copy.get_config() == expected


# In training.

HEIGHT, WIDTH = 6, 8
# On torch Keras' `Dense`, and so the score heads, round float64 to float32, of which
# differences are rough.
IS_ROUGH = keras.config.backend() == "torch"


def float64_model():
    """A model whose every layer, but not the loss, computes in float64.

    Where Keras can: neither a `Dense` layer on torch nor tanh on JAX does.
    """
    options = {"dtype": "float64"}
    model = keras.Sequential(
        [
            keras.Input((HEIGHT, WIDTH, 2), dtype="float64"),
            layers.Conv2D(3, 3, padding="same", activation="silu", **options),
            LAPooling2D(2, **options),
            GlobalLAPooling2D(concepts=CLASSES, **options),
            layers.Reshape((1, 1, 3), **options),
            layers.Conv2D(CLASSES, 1, **options),
            layers.Flatten(**options),
            layers.Softmax(**options),
        ]
    )
    rng = np.random.default_rng(10)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


@pytest.fixture
def small(rng):
    x = rng.normal(size=(3, HEIGHT, WIDTH, 2))
    mask = rng.choice([0.0, 1.0], size=(3, HEIGHT // 2, WIDTH // 2))
    return x, {"label": np.arange(3) % CLASSES, "mask": mask}


def enlarged(mask):
    return mask.repeat(2, axis=1).repeat(2, axis=2)[..., None]


def sum_of_logarithms(model, x):
    return np.sum(np.log(as_float64(model(x))))


def input_gradient(model, x):
    found = gradients(lambda given: ops.log(model(given["images"])), {"images": x})
    return ops.convert_to_numpy(found["images"])


@pytest.mark.slow_on_jax
def test_gradient_of_a_model_equals_differences(small, rng):
    """Of what the next test compares with."""
    x, _ = small
    model = float64_model()
    direction = rng.normal(size=x.shape)
    slope = directional_derivative(lambda x: sum_of_logarithms(model, x), x, direction)
    gradient = np.sum(input_gradient(model, x) * direction)
    assert_close(gradient, slope, *([1e-2, 0] if IS_ROUGH else [1e-8, 1e-8]))


@pytest.mark.slow_on_jax
def test_training_follows_the_derivative_of_the_penalty(small, rng):
    """Second derivatives through both layers, against differences of first ones."""
    x, y = small
    before = float64_model().get_weights()
    model = compiled(float64_model(), rate=1.0)
    own = first(fit(model, x, y["label"], batch_size=len(x)))
    after_own = model.get_weights()
    model = compiled(float64_model(), rate=1.0)
    injection = KnowledgeInjection(RightReasons(), weights=0.5)
    logs = first(fit(model, x, y, [injection]))
    after = model.get_weights()

    model, mask = float64_model(), enlarged(y["mask"])

    def value(weights):
        model.set_weights(weights)
        return penalty(input_gradient(model, x), mask).mean()

    expected = value(before)
    assert expected > 1e-3
    # The loss of all models is in float32.
    rtol, atol = (1e-2, 1e-2) if IS_ROUGH else (1e-4, 1e-6)
    assert_close(logs["right_reasons"], expected, 1e-5, 0)
    assert_close(logs["loss"] - own["loss"], 0.5 * expected, 1e-5, 1e-6)
    for i, (one, other) in enumerate(zip(after_own, after, strict=True)):
        direction = rng.normal(size=one.shape)

        def along(step, i=i, direction=direction):
            shifted = before[i] + step * direction
            return value([*before[:i], shifted, *before[i + 1 :]])

        slope = (along(STEP) - along(-STEP)) / (2 * STEP)
        assert abs(slope) > 1e-3 * expected
        moved = np.sum((one - other) * direction)
        assert_close(moved, 0.5 * slope, rtol, atol * expected)


class Gradients(InputGradientLoss):
    """A loss of a user's own, that remembers what it saw."""

    accepts = ("mask",)

    def __init__(self, name=None):
        super().__init__(name)
        self.seen = []

    def explained(self, predictions):
        return predictions[..., 0]

    def call(self, gradient, mask=None):
        self.seen.append((gradient, mask))
        return ops.mean(gradient, axis=(1, 2, 3))


@outlives_step
@pytest.mark.torch_suffices
def test_masks_are_unions_whatever_the_label(x, rng):
    """One class that is not there, no masks at all, masks of several concepts."""
    loss = Gradients()
    mask = rng.choice([0.0, 1.0], size=(SAMPLES, SIZE, SIZE, 2))
    for given in ({}, {"mask": mask}, {"mask": mask[..., 0]}):
        model = keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 1)),
                GlobalLAPooling2D(concepts=1),
                layers.Dense(1, activation="sigmoid"),
            ]
        )
        compiled(model, loss="binary_crossentropy")
        fit(model, x, {"label": np.zeros(SAMPLES), **given}, [KnowledgeInjection(loss)])
    (_, nothing), (_, union), (_, single) = loss.seen
    assert nothing is None
    np.testing.assert_array_equal(union, mask.max(axis=-1, keepdims=True))
    np.testing.assert_array_equal(single, mask[..., :1])


@pytest.mark.torch_suffices
def test_samples_without_a_mask_are_left_out(small):
    x, y = small
    y["valid"] = np.arange(3) < 2
    model = compiled(float64_model())
    logs = first(fit(model, x, y, [KnowledgeInjection(RightReasons())]))
    values = penalty(input_gradient(model, x), enlarged(y["mask"]))
    assert_close(logs["right_reasons"], values[:2].mean(), 1e-5, 0)


def test_several_losses_and_a_validation_share_the_forward_pass(x, targets):
    terms = [RightReasons(), RightReasons("sigmoid", name="other"), MaskSupervision()]
    calls = []

    class Counted(layers.Layer):
        def call(self, x):
            calls.append(x)
            return x

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    model = compiled(
        keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 1)),
                Counted(),
                GlobalLAPooling2D(concepts=CLASSES, initial_score=0.5),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )
    )
    # Keras may build the model first.
    forget = call_at("on_train_batch_begin", lambda _: calls.clear())
    callbacks = [KnowledgeInjection(terms), forget]
    logs = first(fit(model, x, targets, callbacks, validation_data=(x, targets)))
    # JAX has no record of a pass, and takes another one for each of the gradients.
    passes = 3 if keras.config.backend() == "jax" else 1
    assert len(calls) == 2 * passes
    for term in ("right_reasons", "other"):
        assert logs[term] == pytest.approx(logs[f"val_{term}"], rel=1e-5)
        assert logs[term] > 0
    assert logs["right_reasons"] != logs["other"]


def fit_penalised(x, targets, make_inner, **options):
    """History of a model with some layers, of two epochs."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            *make_inner(),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    compiled(model, rate=0.1, **options)
    injection = KnowledgeInjection(RightReasons())
    return fit(model, x, targets, [injection], epochs=2)


@compiled_steps
@pytest.mark.slow_on_jax
def test_training_is_the_same_with_xla(x, targets):
    histories = [
        fit_penalised(
            x, targets, lambda: [LAPooling2D(2, initial_score=0.5)], **options
        )
        for options in ({}, {"jit_compile": True})
    ]
    for name in ("right_reasons", "loss"):
        one, other = (history[name] for history in histories)
        assert_close(one, other, 1e-5, 1e-7)
        assert one[1] < one[0]


@pytest.mark.torch_suffices
def test_usual_layers_can_be_penalised(x, targets):
    inner = [
        layers.Conv2D(4, 3, strides=2, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.DepthwiseConv2D(3, dtype="mixed_bfloat16"),
        layers.MaxPooling2D(2, strides=1),
        LAPooling2D(2, base="max", dtype="mixed_bfloat16"),
        GlobalLAPooling2D(concepts=CLASSES),
    ]
    history = fit_penalised(x, targets, lambda: inner)
    assert np.isfinite(history["loss"]).all()
    assert min(history["right_reasons"]) > 0


@pytest.mark.torch_suffices
def test_channels_first_gradients_are_turned_around(rng):
    images = rng.normal(size=(2, 3, 4, 5))
    inputs = keras.Input((3, 4, 5), dtype="float64")
    model = keras.Model(inputs, ops.sum(inputs**2, axis=(2, 3)))
    batch = ImageBatch(ops.convert_to_tensor(images), "channels_first")
    with InputTape(model, batch, True) as tape:
        predictions = model(tape.inputs)
        gradient = tape.gradient(lambda predictions: predictions, predictions)
    assert batch.size == (2, 4, 5)
    assert_close(gradient, np.moveaxis(2 * images, 1, -1), 0, 0)


# What is refused.


def one_class():
    return make_one(layers.Dense(1, activation="softmax"))


def make_one(*behind, dtype="float32"):
    inputs = keras.Input((SIZE, SIZE, 1), dtype=dtype)
    y = GlobalLAPooling2D(concepts=1)(ops.cast(inputs, "float32"))
    for layer in behind:
        y = layer(y)
    return keras.Model(inputs, y)


def two_inputs():
    inputs = {name: keras.Input((SIZE, SIZE, 1), name=name) for name in "ab"}
    y = GlobalLAPooling2D(concepts=1)(inputs["a"] + inputs["b"])
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(y))


def two_outputs():
    y = {name: layers.Dense(2, activation="softmax", name=name) for name in "ab"}
    model = make_one()
    return keras.Model(
        model.input, {name: layer(model.output) for name, layer in y.items()}
    )


def blind():
    return make_one(layers.Lambda(ops.stop_gradient), layers.Dense(2))


REFUSED = {
    "a single class": (one_class, lambda x: x, 'outputs="sigmoid"'),
    "integers": (
        lambda: make_one(layers.Dense(2), dtype="uint8"),
        lambda x: x.astype("uint8"),
        "float dtype",
    ),
    "two inputs": (two_inputs, lambda x: {"a": x, "b": x}, "single input"),
    "two outputs": (two_outputs, lambda x: x, "one output"),
    "no gradient": pytest.param(
        blind,
        lambda x: x,
        "depend on the images",
        marks=pytest.mark.skipif(
            keras.config.backend() == "jax",
            reason="on JAX what does not depend on the images has a gradient of zero",
        ),
    ),
}


@pytest.mark.parametrize("make, change, pattern", REFUSED.values(), ids=REFUSED)
@pytest.mark.torch_suffices
def test_refuses_models_without_such_a_gradient(x, mask, make, change, pattern):
    label = np.zeros(SAMPLES)
    loss = "sparse_categorical_crossentropy"
    if make is two_outputs:
        label, loss = dict.fromkeys("ab", label), dict.fromkeys("ab", loss)
    if make is one_class:
        loss = "binary_crossentropy"
    model = compiled(make(), loss=loss)
    injection = KnowledgeInjection(RightReasons())
    with pytest.raises(ValueError, match=rf"(?s)Expected.*{pattern}"):
        fit(model, change(x), {"label": label, "mask": mask}, [injection])


def test_refuses_unknown_outputs():
    with pytest.raises(ValueError, match=r"(?s)outputs.*softmax.*sigmoid"):
        RightReasons("linear")


@pytest.mark.parametrize("method", ["explained", "call"])
def test_a_loss_without_its_methods_says_what_is_missing(method):
    with pytest.raises(NotImplementedError, match=f"must implement `{method}"):
        getattr(InputGradientLoss(), method)(np.zeros((1, 2, 2, 1)))


# What it is for.


def predicted(model, x):
    return np.argmax(ops.convert_to_numpy(model(x)), axis=-1)


@shown_on_tensorflow
def test_what_lies_outside_of_the_mask_makes_no_difference(rng):
    """A spot in the middle tells the class, and a stronger one in the corner.

    What a network does for small changes it does for large ones if it is linear, as
    this one nearly is. A convolution with ReLU in front was misled at some seeds.
    """
    count = 64
    label = np.arange(count) % 2
    x = rng.normal(scale=0.1, size=(count, SIZE, SIZE, 1)).astype("float32")
    mask = np.zeros((count, SIZE, SIZE))
    mask[:, 6:10, 6:10] = 1
    sign = (2 * label - 1)[:, None, None]
    x[..., 0] += 0.5 * mask * sign
    misled = x.copy()
    x[:, :4, :4, 0] += sign
    misled[:, :4, :4, 0] -= sign
    targets = {"label": label, "mask": mask}
    right, outside = [], []
    for weight in (0, 1):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input(x.shape[1:]),
                LAPooling2D(2, initial_score=0.5, trainable=False),
                layers.Flatten(),
                layers.Dense(2, activation="softmax"),
            ]
        )
        options = {"loss": "sparse_categorical_crossentropy", **GRAPH}
        model.compile(keras.optimizers.Adam(0.03), **options)
        injection = KnowledgeInjection(RightReasons(), weights=weight)
        fit_steps(model, x, targets, 150, [injection])
        assert np.mean(predicted(model, x) == label) == 1
        right.append(np.mean(predicted(model, misled) == label))
        gradient = input_gradient(model, x)
        outside.append(penalty(gradient, mask[..., None]).sum() / np.sum(gradient**2))
    assert right[0] < 0.1
    assert right[1] > 0.9
    assert outside[0] > 0.5
    assert outside[1] < 0.05
